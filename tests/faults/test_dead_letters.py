"""Dead letters on the running system: bad data, two people at once, and a discard that is cut off half-way."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest

from events.tests.waiting import until
from local.settings import CHECKOUT
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.faults.workers import frozen
from tests.journeys.client import Api

RESERVE = "inventory.reserve_items"
CONFIRMED = "notifications.send_order_confirmed"
PERMANENT = "events.errors.PermanentError"
LETTER = "SELECT 1 FROM events_delivery WHERE id = %s FOR UPDATE"
SLOW_START = 120  # seconds for a command to start on a busy machine


def order_with_bad_data(system: FaultySystem, ada: Api, sku: str) -> tuple[Any, str]:
    """Place an order whose reservation is given data that it cannot read; return it with that dead letter."""
    with frozen(system, "relay"):  # nothing can be begun before the data are bad
        order = ada.order(sku)
        system.sql(
            'UPDATE events_delivery SET edited_data = \'{"nothing": "of use"}\' WHERE subject = %s AND handler = %s',
            *(order["id"], RESERVE),
        )
    until("the reservation is dead", lambda: system.delivery(order, RESERVE)[1] == "dead")
    return order, system.delivery(order, RESERVE)[0]


@contextmanager
def started(system: FaultySystem, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the shell's command beside the system until the block ends."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "deadletters", *arguments],
        env=system.environment,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def held(system: FaultySystem, statement: str, *parameters: object) -> Iterator[None]:
    """Hold the rows of a SELECT FOR UPDATE, so that whoever needs them stands in line."""
    with psycopg.connect(system.servers.database_url) as connection:
        connection.execute(statement, parameters)
        yield


def in_line(system: FaultySystem, count: int) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    until(f"{count} wait for a row", lambda: system.sql(waiting)[0][0] >= count, seconds=SLOW_START)


def decisions(system: FaultySystem, letter: str) -> list[tuple[Any, ...]]:
    return list(system.sql("SELECT action, by FROM events_decision WHERE delivery_id = %s", letter))


def test_a_letter_that_two_replay_at_once_is_replayed_once(system: FaultySystem, ada: Api) -> None:
    sku = system.product(10)
    order, letter = order_with_bad_data(system, ada, sku)
    system.sql("UPDATE events_delivery SET edited_data = NULL WHERE id = %s", letter)
    with ThreadPoolExecutor() as threads, ExitStack() as stack:
        with held(system, LETTER, letter):
            shell = stack.enter_context(started(system, "replay", letter))
            in_line(system, 1)
            rest = threads.submit(system.staff.post, f"/dead-letters/{letter}/replay")
            in_line(system, 2)
        told = shell.communicate(timeout=SLOW_START)[0]
        answer = rest.result()
    assert (shell.returncode, answer.status) in ((0, 409), (1, 202)), (told, answer.body)
    assert len(decisions(system, letter)) == 1
    guarantees.hold(system, [order])
    assert system.row(letter) == ("done", 1, "")
    assert ada.status(order) == "confirmed"
    reserved = system.sql(
        "SELECT s.reserved FROM inventory_stockitem s JOIN inventory_product p ON p.id = s.product_id WHERE p.sku = %s",
        sku,
    )
    assert reserved == [(1,)]
    assert system.staff.post(f"/dead-letters/{letter}/replay").status == 409
    assert system.staff.get(f"/dead-letters/{letter}").json["status"] == "done"


def test_bad_data_are_dead_at_once_and_the_order_waits_in_inventory_until_they_are_discarded(
    system: FaultySystem, ada: Api
) -> None:
    order, letter = order_with_bad_data(system, ada, system.product())
    assert system.row(letter, "state, reason") == ("dead", "permanent_error")
    errors = "SELECT error_type FROM events_failedattempt WHERE delivery_id = %s ORDER BY id"
    assert [kind for (kind,) in system.sql(errors, letter) if kind == PERMANENT] == [PERMANENT]
    later = release_after(system, order)
    until("it is parked", lambda: system.row(later, "state, due_at") == ("pending", None))
    until(
        "the other consumers have gone on",
        lambda: len([row for row in system.of_order(order) if row[0] != RESERVE and row[1] == "done"]) >= 2,
    )
    assert ada.status(order) == "pending"

    answer = system.staff.post(f"/dead-letters/{letter}/discard", {"reason": "nobody can read it"})
    assert (answer.status, answer.json["status"]) == (200, "discarded")
    assert ada.status(order) == "rejected"
    until("what waited went on", lambda: system.row(later, "state")[0] == "done")
    guarantees.hold(system, [order])


def release_after(system: FaultySystem, order: Any) -> str:
    """Publish something later about the order that inventory handles; return the delivery."""
    data = system.sql("SELECT data FROM events_event WHERE subject = %s AND type = 'order.created.v1'", order["id"])
    cancelled = {**data[0][0], "reason": "staff"}
    release = ["inventory.release_items"]
    return system.publish("order.cancelled.v1", order["id"], cancelled, release, dead_holds=True)[0]


def test_a_discard_that_is_killed_half_way_changes_nothing(system: FaultySystem, ada: Api) -> None:
    order, letter = order_with_bad_data(system, ada, system.product())
    discard = ("discard", letter, "--reason", "nobody can read it")
    counter = "SELECT 1 FROM events_subjectcounter WHERE subject = %s FOR UPDATE"
    with held(system, counter, order["id"]), started(system, *discard) as shell:
        in_line(system, 1)  # the order is rejected in its transaction, and it is about to publish that
        shell.kill()
    until("its transaction is gone", lambda: system.sql(f"{LETTER} SKIP LOCKED", letter))
    assert system.row(letter, "state")[0] == "dead"
    assert ada.status(order) == "pending"
    assert decisions(system, letter) == []

    with started(system, *discard) as shell:
        assert "1 discarded" in shell.communicate(timeout=SLOW_START)[0]
    assert (system.row(letter, "state")[0], ada.status(order)) == ("discarded", "rejected")
    guarantees.hold(system, [order])


@pytest.mark.chaos
def test_a_replay_of_a_mail_that_did_leave_sends_none(system: FaultySystem, ada: Api) -> None:
    order = ada.order(system.product())
    guarantees.hold(system, [order])
    data = system.sql("SELECT data FROM events_event WHERE subject = %s AND type = 'order.confirmed.v1'", order["id"])
    system.arm(f"applied {CONFIRMED}")
    letter = system.publish("order.confirmed.v1", order["id"], data[0][0], [CONFIRMED], max_attempts=1)[0]
    until("the worker was lost", lambda: system.row(letter) == ("dead", 1, "worker_lost"), seconds=SLOW_START)
    mails = len(system.mailbox.about(f"{order['number']} is confirmed"))
    assert system.staff.post("/dead-letters/replay", {"handler": CONFIRMED}).json == {"count": 1}
    guarantees.hold(system, [order])
    assert system.row(letter) == ("done", 1, "")
    assert len(system.mailbox.about(f"{order['number']} is confirmed")) == mails == 2
