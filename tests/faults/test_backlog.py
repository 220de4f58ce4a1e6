"""Ten thousand orders with the workers off, then on. BACKLOG_ORDERS is their number."""

import os
import time

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
# What may be out with workers, and in the broker's list (ordersite/subscriptions.py, events/relay.py).
BOUNDS = {"inventory": 100, "orders": 100, "notifications": 40, "analytics": 100}
GROWTH = 40 * 1024 * 1024  # bytes that a process may grow by: it does not hold the backlog
STALLED = 3 * LEASE + 30  # seconds without a delivery done, on a busy machine
# What is to be done, with what will follow: three deliveries for an order that is pending, of which one may be there.
LEFT = """
SELECT count(*) - count(*) FILTER (WHERE handler = 'orders.confirm')
       + 3 * (SELECT count(*) FROM orders_order WHERE status = 'pending')
FROM events_delivery WHERE state IN ('pending', 'leased', 'running')
"""
PARTS = 4  # of the drain, whose rates are compared


@pytest.mark.chaos
def test_a_backlog_waits_in_the_database_and_drains_at_one_rate_while_the_new_is_served(
    system: FaultySystem, ada: Api
) -> None:
    skus = [system.product(ORDERS) for _ in range(20)]
    workers = [system.supervisor.processes[f"worker-{queue}"] for queue in BOUNDS]
    books.settle(system)
    before = memory(system)
    for worker in workers:
        worker.ask_to_stop()
    for worker in workers:
        worker.stop(20)
    with LongestLists(system, BOUNDS) as lists:
        system.run("-m", "tests.faults.place_orders", str(ORDERS), "ada@example.com", *skus)
        for worker in workers:
            worker.start()
        backlog = DELIVERIES * ORDERS
        wait_until_left(system, backlog - backlog // 50)  # the workers are there
        new = ada.order(skus[0])
        until("the new order is confirmed", lambda: ada.status(new) == "confirmed", seconds=60)
        behind = left(system)
        times = drain(system, behind)
    assert behind > backlog // 4, "the new order was not confirmed before the backlog"
    after = memory(system)
    print(f"{ORDERS} orders; lists {lists.longest}; parts of the drain {times}")  # noqa: T201 - figures for a person
    assert lists.longest["inventory"] > 0  # they were looked at
    assert {queue: n for queue, n in lists.longest.items() if n > BOUNDS[queue]} == {}
    assert {name: after[name] - before[name] for name in before if after[name] - before[name] > GROWTH} == {}
    assert times[-1] < 2 * min(times), times
    guarantees.hold(system, [new])


def left(system: FaultySystem) -> int:
    return int(system.sql(LEFT)[0][0])


def wait_until_left(system: FaultySystem, wanted: int) -> None:
    """Wait until no more than this many deliveries are left; fail where none is done for too long."""
    while (now := left(system)) > wanted:
        until("the backlog shrinks", lambda now=now: left(system) < now, seconds=STALLED)  # type: ignore[misc]


def drain(system: FaultySystem, backlog: int) -> list[float]:
    """Wait until all is done; return the seconds that each part of it took."""
    times = []
    for part in reversed(range(PARTS)):
        start = time.monotonic()
        wait_until_left(system, backlog * part // PARTS)
        times.append(round(time.monotonic() - start, 1))
    return times
