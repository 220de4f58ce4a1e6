"""Ten thousand orders with the workers off, then on. BACKLOG_ORDERS is their number."""

import os
import time
from datetime import datetime

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.gauges import LongestLists, memory
from tests.faults.system import FaultySystem
from tests.journeys import books
from tests.journeys.client import Api
from tests.journeys.system import LEASE

ORDERS = int(os.environ.get("BACKLOG_ORDERS", "10000"))
DELIVERIES = 6  # of a confirmed order
# What may be out with workers, and in the broker's list (ordersite/subscriptions.py, events/relaying/relay.py).
BOUNDS = {"inventory": 100, "orders": 100, "notifications": 100, "analytics": 100}
GROWTH = 40 * 1024 * 1024  # bytes that a process may grow by: it does not hold the backlog
STALLED = 3 * LEASE + 30  # seconds without a delivery done, on a busy machine
# What is to be done, with what will follow: three deliveries for an order that is pending, of which one may be there.
LEFT = """
SELECT count(*) - count(*) FILTER (WHERE handler = 'orders.confirm')
       + 3 * (SELECT count(*) FROM orders_order WHERE status = 'pending')
FROM events_delivery WHERE state IN ('pending', 'leased', 'running')
"""
LOOK_EVERY = 1.0  # seconds: LEFT reads all deliveries there ever were, and would take a quarter of the machine
HANDLED = """
SELECT count(*) / extract(epoch FROM max(handled_at) - %s) FROM events_delivery WHERE handled_at > %s
"""
NOT_RESERVED = "SELECT count(*) FROM events_delivery WHERE queue = 'inventory' AND state = 'pending'"
SLOWER = 0.7  # times the rate at which a tenth of the backlog is worked off
LONGEST = 3600  # seconds for all of it, on any machine


@pytest.mark.chaos
def test_a_backlog_waits_in_the_database_and_drains_at_full_rate_while_the_new_is_served(
    system: FaultySystem, ada: Api
) -> None:
    skus = [system.product(2 * ORDERS) for _ in range(20)]
    books.settle(system)
    few = rate(system, make_backlog(system, ORDERS // 10, skus))
    before = memory(system)
    with LongestLists(system, BOUNDS) as lists:
        began = make_backlog(system, ORDERS, skus)
        new = ada.order(skus[0])
        until("the new order is confirmed", lambda: ada.status(new) == "confirmed", seconds=60)
        behind = system.sql(NOT_RESERVED)[0][0]
        many = rate(system, began)
    after = memory(system)
    print(f"{few:.0f} deliveries/s of {ORDERS // 10} orders, {many:.0f} of {ORDERS}; lists {lists.longest}")  # noqa: T201
    assert behind > ORDERS // 4, "the new order was not confirmed before the backlog"
    assert lists.longest["inventory"] > 0  # they were looked at
    assert {queue: n for queue, n in lists.longest.items() if n > BOUNDS[queue]} == {}
    assert {name: after[name] - before[name] for name in before if after[name] - before[name] > GROWTH} == {}
    assert many >= SLOWER * few
    guarantees.hold(system, [new])


def make_backlog(system: FaultySystem, orders: int, skus: list[str]) -> datetime:
    """Have so many orders placed with no worker there, then start the workers; return since when they are at work."""
    workers = [system.supervisor.processes[f"worker-{queue}"] for queue in BOUNDS]
    for worker in workers:
        worker.ask_to_stop()
    for worker in workers:
        worker.stop(20)
    system.run("-m", "tests.faults.place_orders", str(orders), "ada@example.com", *skus)
    for worker in workers:
        worker.start()
    wait_until_left(system, DELIVERIES * orders - DELIVERIES * orders // 50)
    began: datetime = system.sql("SELECT clock_timestamp()")[0][0]
    return began


def rate(system: FaultySystem, began: datetime) -> float:
    """Wait until all is done; return how many deliveries a second that were, from this moment to the last of them."""
    wait_until_left(system, 0)
    return float(system.sql(HANDLED, began, began)[0][0])


def left(system: FaultySystem) -> int:
    return int(system.sql(LEFT)[0][0])


def wait_until_left(system: FaultySystem, wanted: int) -> None:
    """Wait until no more than this many deliveries are left; fail where none is done for too long."""
    least, at = left(system), time.monotonic()

    def worked_off() -> bool:
        nonlocal least, at
        if (now := left(system)) < least:
            least, at = now, time.monotonic()
        assert time.monotonic() - at < STALLED, f"{least} are left, and none was done for {STALLED} s"
        return least <= wanted

    until(f"{wanted} are left", worked_off, seconds=LONGEST, pause=LOOK_EVERY)
