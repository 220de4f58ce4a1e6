"""The mail server refuses, hangs, or dies at the worst moment: mails wait, nothing else does."""

import logging
import re
from collections import Counter
from typing import Any

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.load import Load, percentile
from tests.faults.system import FaultySystem
from tests.faults.watching import catch_up
from tests.journeys.client import Api

logger = logging.getLogger(__name__)

RECEIVED = "notifications.send_order_received"
RATE = 3  # orders a second: no queue builds up, so times are those of the handlers
SAMPLES = 100  # orders in each of the four stretches: p99 is the fourth slowest of 400 deliveries
SLOWER = 1.2  # times
NOISE = 0.02  # seconds: what the machine does to the slowest of so many, by itself

TIMES = """
SELECT extract(epoch FROM d.handled_at - d.created_at)::float8
FROM events_delivery d WHERE d.subject = ANY(%s::uuid[]) AND d.consumer IN ('inventory', 'orders')
"""


def mails_of(system: FaultySystem, order: Any) -> list[str]:
    return system.mailbox.about(order["number"])


def subjects_of(system: FaultySystem, order: Any) -> list[str]:
    found = [re.search(r"^Subject: (.*)$", mail, re.MULTILINE) for mail in mails_of(system, order)]
    return sorted(match[1].strip() for match in found if match)


def first_mail(system: FaultySystem, order: Any) -> tuple[int, int, str]:
    rows = system.of_order(order, "handler, attempts, waits, state")
    return next((attempts, waits, state) for handler, attempts, waits, state in rows if handler == RECEIVED)


def mails(system: FaultySystem, orders: list[Any]) -> list[tuple[int, int, str]]:
    """Of the first mail about each order: what was counted, how often it waited, and its state."""
    return [first_mail(system, order) for order in orders]


def tried_often(system: FaultySystem, orders: list[Any], attempts: int) -> list[tuple[int, int, str]]:
    """Return the same once each of them was tried more often than it has attempts, until then nothing."""
    tried = mails(system, orders)
    return tried if min(waits for _, waits, _ in tried) > attempts else []


@pytest.mark.parametrize("attempts", [2, pytest.param(10, marks=pytest.mark.chaos)])
def test_mails_outlive_a_server_that_refuses_for_longer_than_all_attempts_would_take(
    system: FaultySystem, ada: Api, attempts: int
) -> None:
    sku = system.product()
    with system.without_mail_server():
        orders = [ada.order(sku) for _ in range(2)]
        for order in orders:
            until("it is confirmed", lambda order=order: ada.status(order) == "confirmed")  # type: ignore[misc]
            system.sql("UPDATE events_delivery SET max_attempts = %s WHERE subject = %s", attempts, order["id"])
        tried = until("all were tried often enough", lambda: tried_often(system, orders, attempts), seconds=60)
        assert max(counted for counted, *_ in tried) <= 1  # 1: the one that is being tried
        assert {state for *_, state in tried} <= {"pending", "leased", "running"}
    guarantees.hold(system, orders)
    assert {(counted, state) for counted, _, state in mails(system, orders)} == {(1, "done")}
    for order in orders:
        number = order["number"]
        assert subjects_of(system, order) == [
            f"We have received your order {number}",
            f"Your order {number} is confirmed",
        ]


def slowest(system: FaultySystem, orders: list[Any]) -> tuple[float, float]:
    """Return median and p99 of the seconds from an event to its handler's end, of stock and order handlers."""
    rows = system.sql(TIMES, [order["id"] for order in orders])
    assert len(rows) == 2 * len(orders)
    seconds = [row[0] for row in rows]
    return percentile(seconds, 0.5), percentile(seconds, 0.99)


@pytest.mark.chaos
def test_a_mail_server_that_hangs_slows_neither_stock_nor_orders(system: FaultySystem, ada: Api) -> None:
    sku = system.product(pieces=5_000)
    orders: dict[bool, list[Any]] = {False: [], True: []}
    try:
        with Load(system, RATE, [sku]) as load:
            load.more(SAMPLES // 3)  # warm
            for hangs in (False, True, False, True):  # in turns, so that what else the machine does falls on both
                system.mailbox.hangs = hangs
                first = len(load.orders)
                load.more(SAMPLES, seconds=4 * SAMPLES / RATE)
                orders[hangs] += load.orders[first:]
            assert not mails_of(system, orders[True][-1])
            system.mailbox.hangs = False
        catch_up(system)
        before, during = slowest(system, orders[False]), slowest(system, orders[True])
    finally:
        system.mailbox.hangs = False
    logger.info("median and p99 before: %s s; with a hanging mail server: %s s", before, during)
    guarantees.hold(system, orders[False] + orders[True])
    assert during[0] <= max(SLOWER * before[0], before[0] + NOISE)
    assert during[1] <= max(SLOWER * before[1], before[1] + NOISE)


def test_a_mail_whose_server_died_before_its_answer_goes_out_again_under_the_same_message_id(
    system: FaultySystem, ada: Api
) -> None:
    system.mailbox.dies = 1
    order = ada.order(system.product())
    until("the server died", lambda: system.mailbox.dies == 0)
    guarantees.hold(system, [order])
    sent = Counter(message_id(mail) for mail in mails_of(system, order))
    assert sorted(sent.values()) == [1, 2]  # one of the two mails again, as the same


def message_id(mail: str) -> str:
    found = re.search(r"^Message-ID: (<.*>)", mail, re.MULTILINE)
    assert found
    return found[1]
