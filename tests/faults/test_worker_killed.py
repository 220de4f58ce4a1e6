"""A worker is killed at each point of its work: every effect is there once, and an attempt at most is lost."""

from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.faults.workers import copy_message, failed_attempts, frozen, told
from tests.journeys.client import Api

RESERVE = "inventory.reserve_items"
# Of each worker, one handler in the life of an order.
HANDLERS = [RESERVE, "orders.confirm", "analytics.track_order", "notifications.send_order_received"]
IN_FLIGHT = 50
STARTED = ["worker-inventory", "ready."]
START = 60  # seconds until a worker is up again on a machine that is busy with other things


def test_workers_killed_inside_their_handlers_cost_an_attempt_each(system: FaultySystem, ada: Api) -> None:
    sku = system.product()
    for handler in HANDLERS:
        system.arm(f"applied {handler}")
    order = ada.order(sku)
    for handler in HANDLERS:
        system.wait_for(f"applied {handler}", seconds=30)
    guarantees.hold(system, [order])
    assert ada.status(order) == "confirmed"
    assert failed_attempts(system, order) == [(handler, "WorkerLost") for handler in sorted(HANDLERS)]
    assert all((handler, "done", 2) in system.of_order(order) for handler in HANDLERS)


def test_a_worker_killed_after_its_commit_has_done_its_work_and_a_copy_does_nothing(
    system: FaultySystem, ada: Api
) -> None:
    sku = system.product()
    with frozen(system, "worker-inventory"):
        order = ada.order(sku)
        delivery_id = copy_message(system, order, RESERVE, copies=1)
        system.arm(f"committed {RESERVE}")
    system.wait_for(f"committed {RESERVE}")
    until("the copy is found stale", lambda: told(system, delivery_id, "stale") == 1)
    guarantees.hold(system, [order])
    assert ada.status(order) == "confirmed"
    assert (RESERVE, "done", 1) in system.of_order(order)
    assert failed_attempts(system, order) == []


def test_twenty_copies_of_a_message_at_once_make_one_attempt(system: FaultySystem, ada: Api) -> None:
    sku = system.product()
    with frozen(system, "worker-inventory"):
        order = ada.order(sku)
        delivery_id = copy_message(system, order, RESERVE, copies=20)
    until("all copies were found stale", lambda: told(system, delivery_id, "stale") == 20)
    guarantees.hold(system, [order])
    assert ada.status(order) == "confirmed"
    assert (RESERVE, "done", 1) in system.of_order(order)


@pytest.mark.chaos
def test_a_worker_killed_with_fifty_deliveries_in_flight_costs_a_lease_at_most(system: FaultySystem, ada: Api) -> None:
    sku = system.product()
    with frozen(system, "worker-inventory"):
        with ThreadPoolExecutor(10) as pool:
            orders = list(pool.map(lambda _: ada.order(sku), range(IN_FLIGHT)))
        until("all are sent", lambda: reserving(system, sku, "leased") == IN_FLIGHT)
        system.arm(f"applied {RESERVE}", "stop")  # inside its transaction: the others of this product wait for it
    system.wait_for(f"applied {RESERVE}")
    assert reserving(system, sku, "running") > 0
    starts = told(system, *STARTED)
    system.signal("worker-inventory", SIGKILL)
    until("the worker is back", lambda: told(system, *STARTED) > starts, seconds=START)
    until("all are done", lambda: reserving(system, sku, "done") == IN_FLIGHT, seconds=guarantees.RECOVERY)
    guarantees.hold(system, orders)
    assert {ada.status(order) for order in orders} == {"confirmed"}


def reserving(system: FaultySystem, sku: str, state: str) -> int:
    """Count the reservations of a product by the state of their delivery."""
    return int(
        system.sql(
            "SELECT count(*) FROM events_delivery d JOIN orders_orderline l ON l.order_id = d.subject"
            " WHERE l.sku = %s AND d.handler = %s AND d.state = %s",
            *(sku, RESERVE, state),
        )[0][0]
    )
