"""The web is killed around the commit of an order: the client repeats its request under the same key."""

from typing import Any
from uuid import uuid4

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys.client import Answer, Api

LINES = "SELECT count(*) FROM orders_orderline WHERE sku = %s"


def post(api: Api, sku: str, key: str) -> Answer:
    return api.post("/orders", {"items": [{"sku": sku, "quantity": 1}]}, Idempotency_Key=key)


def repeat(api: Api, sku: str, key: str) -> Answer:
    """Send the request until it is answered: the first one's lock may live for a moment longer than its process."""

    def attempt() -> Any:
        try:
            answer = post(api, sku, key)
        except OSError:
            return None
        return answer if answer.status != 409 else None

    answer: Answer = until("the order is answered", attempt, seconds=30)
    return answer


def test_an_order_cut_off_before_its_commit_left_nothing_and_its_key_makes_one(system: FaultySystem, ada: Api) -> None:
    sku, key = system.product(), str(uuid4())
    system.arm("publish.uncommitted")
    with pytest.raises(OSError, match=r"(?i)closed|reset|aborted"):
        post(ada, sku, key)
    system.wait_for("publish.uncommitted")
    assert system.sql(LINES, sku) == [(0,)]
    assert system.sql("SELECT 1 FROM orders_storedanswer WHERE key = %s", key) == []
    answer = repeat(ada, sku, key)
    assert (answer.status, answer.headers["Idempotent-Replayed"]) == (201, None)
    guarantees.hold(system, [answer.json])
    assert system.sql(LINES, sku) == [(1,)]


def test_an_order_committed_and_never_answered_is_given_to_the_same_key(system: FaultySystem, ada: Api) -> None:
    sku, key = system.product(), str(uuid4())
    system.arm("answer.committed")
    with pytest.raises(OSError, match=r"(?i)closed|reset|aborted"):
        post(ada, sku, key)
    system.wait_for("answer.committed")
    placed: Any = system.sql("SELECT order_id::text FROM orders_orderline WHERE sku = %s", sku)
    answer = repeat(ada, sku, key)
    assert (answer.status, answer.headers["Idempotent-Replayed"]) == (201, "true")
    assert [(answer.json["id"],)] == placed
    guarantees.hold(system, [answer.json])
    assert system.sql(LINES, sku) == [(1,)]
