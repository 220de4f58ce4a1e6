"""Events of one order keep their order, whatever is late."""

from concurrent.futures import ThreadPoolExecutor

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.faults.workers import failed_attempts, frozen, thaw_children
from tests.journeys.client import Api

RESERVE, RELEASE = "inventory.reserve_items", "inventory.release_items"


def test_a_cancellation_that_overtakes_a_failing_reservation_waits_for_it(system: FaultySystem, ada: Api) -> None:
    sku = system.product(pieces=10)
    with system.locked(sku):
        order = ada.order(sku, 3)
        until("it was tried several times", lambda: system.delivery(order, RESERVE)[2] >= 3, seconds=30)
        assert ada.post(f"/orders/{order['id']}/cancel").status == 200
        tried = system.delivery(order, RESERVE)[2]
        until("it was tried again after that", lambda: system.delivery(order, RESERVE)[2] > tried)
        assert system.delivery(order, RELEASE)[1:] == ("pending", 0)
    guarantees.hold(system, [order])
    assert ada.status(order) == "cancelled"
    told = system.sql("SELECT quantity, state FROM inventory_reservation WHERE order_id = %s", order["id"])
    assert told == [(3, "released")]
    assert ada.get(f"/products/{sku}").json["available"] == 10


def test_of_two_that_publish_for_an_order_at_once_the_later_waits_and_comes_later(
    system: FaultySystem, ada: Api
) -> None:
    sku = system.product(pieces=10)
    with frozen(system, "worker-inventory"):
        order = ada.order(sku)
        system.arm("publish.uncommitted", "stop")
    system.wait_for("publish.uncommitted")  # stock.reserved is published and not committed
    with ThreadPoolExecutor() as pool:
        cancelling = pool.submit(ada.post, f"/orders/{order['id']}/cancel")
        until("the cancellation waits", lambda: system.sql("SELECT 1 FROM pg_locks WHERE NOT granted"))
        thaw_children(system, "worker-inventory")
        assert cancelling.result().status == 200
    guarantees.hold(system, [order])
    assert ada.status(order) == "cancelled"
    assert [event["type"] for event in ada.get(f"/orders/{order['id']}/timeline").json["results"]] == [
        "order.created.v1",
        "stock.reserved.v1",
        "order.cancelled.v1",
    ]
    assert failed_attempts(system, order) == []
    started = system.of_order(order, "consumer, sequence, started_at")
    for (consumer, _, earlier), (next_consumer, _, later) in zip(sorted(started), sorted(started)[1:], strict=False):
        assert consumer != next_consumer or earlier < later
