"""Days on which something is away, slow or broken. (Of killed processes: tests/faults.)"""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from events.tests.waiting import until
from ordersite.subscriptions import CONSUMERS
from tests.journeys.client import Api, call, confirmed
from tests.journeys.system import System

SKU = "TEA-ASSAM-100"
RESERVE = "inventory.reserve_items"


def test_without_a_broker_orders_are_taken_and_the_work_catches_up(system: System, ada: Api) -> None:
    system.broker.stop()
    try:
        orders = [ada.order(SKU) for _ in range(5)]
        ready = system.ready()
        assert (ready.status, ready.json["broker"]) == (200, "down")
    finally:
        system.broker.start()
    for order in orders:
        confirmed(ada, order, seconds=60)
        assert system.delivery(order, RESERVE)[2] == 1
    assert system.ready().json["broker"] == "ok"


def test_without_a_database_the_answer_is_503_and_it_recovers_by_itself(system: System, ada: Api) -> None:
    system.servers.postgres.stop()
    try:
        refused = ada.post("/orders", {"items": [{"sku": SKU, "quantity": 1}]})
        assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.headers.get_content_type() == "application/problem+json"
        ready = system.ready()
        assert (ready.status, ready.headers.get_content_type()) == (503, "application/problem+json")
    finally:
        system.servers.postgres.start()
    until("the web is back", system.is_ready)
    confirmed(ada, ada.order(SKU), seconds=60)


def test_flower_shows_a_back_off_as_retry_and_then_success_under_one_id(system: System, ada: Api) -> None:
    with system.locked(SKU):
        order = ada.order(SKU)
        delivery_id = until("it is sent", lambda: system.delivery(order, RESERVE)[0])
        until("Flower shows RETRY", lambda: system.flower_state(delivery_id) == "RETRY")
    until("Flower shows SUCCESS", lambda: system.flower_state(delivery_id) == "SUCCESS")
    task = system.flower(f"/api/task/info/{delivery_id}").json
    assert task["name"] == RESERVE
    assert task["retries"] == system.delivery(order, RESERVE)[2] - 1 > 0
    confirmed(ada, order)


def test_bad_data_make_a_dead_letter_that_flower_shows_failed_until_it_is_replayed(
    system: System, ada: Api, staff: Api
) -> None:
    sku = f"BROKEN-{uuid4().hex[:8]}"
    product = {"sku": sku, "name": "A broken one", "price": "5.00", "currency": "EUR"}
    assert staff.post("/products", product).status == 201
    system.sql(
        "DELETE FROM inventory_stockitem s USING inventory_product p WHERE p.id = s.product_id AND p.sku = %s", sku
    )
    order = ada.order(sku)
    until("it is dead", lambda: system.delivery(order, RESERVE)[1] == "dead")
    delivery_id = system.delivery(order, RESERVE)[0]
    until("Flower shows FAILURE", lambda: system.flower_state(delivery_id) == "FAILURE")
    listed = system.run("manage.py", "deadletters", "list", "--handler", RESERVE)
    assert f"{delivery_id}  inventory.dlq" in listed
    assert f"no stock item for {sku}" in listed

    system.sql("INSERT INTO inventory_stockitem SELECT id, 0, 0 FROM inventory_product WHERE sku = %s", sku)
    assert staff.post(f"/products/{sku}/stock-adjustments", {"quantity": 4, "reason": "found"}).status == 201
    assert "1 replayed" in system.run("manage.py", "deadletters", "replay", delivery_id)
    confirmed(ada, order)
    until("Flower shows SUCCESS", lambda: system.flower_state(delivery_id) == "SUCCESS")


def test_a_failing_plain_task_leaves_its_failure_among_the_results(system: System) -> None:
    def outcome(task_id: str) -> Any:
        rows = system.sql("SELECT status, result FROM django_celery_results_taskresult WHERE task_id = %s", task_id)
        return rows and rows[0][0] in ("SUCCESS", "FAILURE") and rows[0]

    with system.celery() as celery:
        good, bad = str(uuid4()), str(uuid4())
        celery.send_task("inventory.check_stock", task_id=good, queue="maintenance")
        assert until("the books agree", lambda: outcome(good))[0] == "SUCCESS"
        system.sql("UPDATE inventory_stockitem SET on_hand = on_hand + 1")
        try:
            celery.send_task("inventory.check_stock", task_id=bad, queue="maintenance")
            status, result = until("the books do not agree", lambda: outcome(bad))
        finally:
            system.sql("UPDATE inventory_stockitem SET on_hand = on_hand - 1")
    assert status == "FAILURE"
    assert "BooksDoNotAgree" in result


def test_beat_has_the_stock_checked(system: System) -> None:
    checks = "SELECT result FROM django_celery_results_taskresult WHERE periodic_task_name = 'check-stock'"
    until("a result of beat's", lambda: ('"the books agree"',) in system.sql(checks))


def test_flower_asks_for_a_password(system: System) -> None:
    assert call("GET", system.flower_url).status == 401
    assert system.flower("/api/workers").status == 200


def test_flower_lists_every_queue_on_its_broker_page(system: System) -> None:
    lengths = system.flower("/api/queues/length").json["active_queues"]
    assert {queue["name"] for queue in lengths} == {*CONSUMERS, "maintenance"}


@pytest.mark.parametrize("process", ["web", "relay", "worker", "beat", "flower"])
def test_each_process_passes_its_health_check(system: System, process: str) -> None:
    ports = {"WEB_PORT": str(urlsplit(system.web).port), "FLOWER_PORT": str(urlsplit(system.flower_url).port)}
    system.run("deploy/healthy.py", process, **ports)


def test_status_finds_everything_up(system: System) -> None:
    system.run("manage.py", "status")
