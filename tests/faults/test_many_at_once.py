"""Many customers at one moment, over HTTP."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.faults.workers import failed_attempts
from tests.journeys import books
from tests.journeys.client import Answer, Api

BUYERS = 20
DRAIN = 300  # seconds: two hundred orders are two thousand deliveries, on a machine that may be busy


def statuses(system: FaultySystem, orders: list[Any]) -> Counter[str]:
    found = system.sql("SELECT status FROM orders_order WHERE id = ANY(%s::uuid[])", [order["id"] for order in orders])
    return Counter(row[0] for row in found)


@pytest.mark.chaos
def test_of_two_hundred_orders_for_fifty_pieces_at_once_fifty_are_confirmed(system: FaultySystem, ada: Api) -> None:
    sku = system.product(pieces=50)
    with ThreadPoolExecutor(BUYERS) as pool:
        orders = list(pool.map(lambda _: ada.order(sku), range(200)))
    books.settle(system, seconds=DRAIN)
    guarantees.hold(system, orders)
    assert statuses(system, orders) == {"confirmed": 50, "rejected": 150}
    assert ada.get(f"/products/{sku}").json["available"] == 0


@pytest.mark.chaos
def test_orders_that_name_their_products_in_opposite_order_do_not_fail_each_other(
    system: FaultySystem, ada: Api
) -> None:
    skus = [system.product(), system.product()]

    def order(number: int) -> Any:
        lines = skus if number % 2 else skus[::-1]
        answer = ada.post("/orders", {"items": [{"sku": sku, "quantity": 1} for sku in lines]})
        assert answer.status == 201, answer.body
        return answer.json

    with ThreadPoolExecutor(BUYERS) as pool:
        orders = list(pool.map(order, range(60)))
    books.settle(system, seconds=DRAIN)
    guarantees.hold(system, orders)
    assert statuses(system, orders) == {"confirmed": 60}
    assert [failed for each in orders for failed in failed_attempts(system, each)] == []


def test_fifty_requests_with_one_key_at_once_make_one_order(system: FaultySystem, ada: Api) -> None:
    sku, key = system.product(), str(uuid4())

    def post(_: int) -> Answer:
        return ada.post("/orders", {"items": [{"sku": sku, "quantity": 1}]}, Idempotency_Key=key)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(post, range(50)))
    accepted = [answer for answer in answers if answer.status == 201]
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in accepted}) == 1
    assert [answer.headers["Idempotent-Replayed"] for answer in accepted].count(None) == 1
    guarantees.hold(system, [accepted[0].json])
    assert system.sql("SELECT count(*) FROM orders_orderline WHERE sku = %s", sku) == [(1,)]


def test_a_key_that_comes_with_another_body_is_refused_and_writes_nothing(system: FaultySystem, ada: Api) -> None:
    sku, key = system.product(), str(uuid4())

    def post(quantity: int) -> Answer:
        return ada.post("/orders", {"items": [{"sku": sku, "quantity": quantity}]}, Idempotency_Key=key)

    first = post(1)
    assert first.status == 201
    books.settle(system)
    before = written(system)
    refused = post(2)
    assert (refused.status, refused.json["code"]) == (422, "idempotency_key_reused")
    assert refused.headers.get_content_type() == "application/problem+json"
    guarantees.hold(system, [first.json])
    assert written(system) == before


def written(system: FaultySystem) -> list[int]:
    """Count the rows of each table in which an order leaves some."""
    tables = ["orders_order", "orders_orderline", "orders_statuschange", "orders_storedanswer", "events_event"]
    tables += ["events_delivery", "inventory_reservation", "notifications_notification"]
    return [int(system.sql(f"SELECT count(*) FROM {table}")[0][0]) for table in tables]
