from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from events.models import Delivery, Event
from orders.models import Order
from orders.services import cancel_order
from testing.api import body, check_problem, client_of, make_user
from testing.shop import place
from users.models import User

pytestmark = pytest.mark.django_db

# What each state of the bus needs besides its name.
STATES = {
    "pending": "",
    "leased": ", token = id, lease_until = now()",
    "running": ", token = id, lease_until = now()",
    "done": ", handled_at = now()",
    "dead": ", handled_at = now(), reason = 'permanent_error', error_message = 'no such letter box', attempts = 3",
    "discarded": ", handled_at = now()",
}


@pytest.fixture
def order(ada: User) -> Order:
    return place(ada, CUP=1)


def timeline(user: User, order: Order) -> list[dict[str, Any]]:
    answer = client_of(user).get(f"/api/v1/orders/{order.id}/timeline")
    assert answer.status_code == 200
    assert body(answer).keys() == {"results"}
    results: list[dict[str, Any]] = body(answer)["results"]
    return results


def put(handler: str, state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE events_delivery SET state = %s {STATES[state]} WHERE handler = %s", [state, handler])


def test_a_customer_sees_the_events_in_order_with_how_far_their_handlers_are(ada: User, order: Order) -> None:
    cancel_order(order, by="customer")
    put("inventory.reserve_items", "done")
    created, cancelled = timeline(ada, order)
    assert created.keys() == {"event_id", "type", "sequence", "time", "deliveries"}
    assert Event.objects.filter(pk=UUID(created["event_id"]), type="order.created.v1").exists()
    assert [(event["sequence"], event["type"]) for event in (created, cancelled)] == [
        (1, "order.created.v1"),
        (2, "order.cancelled.v1"),
    ]
    assert created["time"] <= cancelled["time"]
    by_handler = {delivery["handler"]: delivery for delivery in created["deliveries"]}
    assert by_handler.keys() == {
        "inventory.reserve_items",
        "notifications.send_order_received",
        "analytics.track_order",
    }
    assert by_handler["inventory.reserve_items"]["handled_at"].endswith("Z")
    assert by_handler["analytics.track_order"] == {
        "handler": "analytics.track_order",
        "status": "pending",
        "attempts": 0,
        "handled_at": None,
    }


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("pending", "pending"),
        ("leased", "in_progress"),
        ("running", "in_progress"),
        ("done", "done"),
        ("dead", "dead"),
        ("discarded", "discarded"),
    ],
)
def test_each_state_is_told_in_the_customer_s_words(ada: User, order: Order, state: str, told: str) -> None:
    put("analytics.track_order", state)
    statuses = {d["handler"]: d["status"] for d in timeline(ada, order)[0]["deliveries"]}
    assert statuses["analytics.track_order"] == told


def test_only_staff_see_what_went_wrong(ada: User, order: Order) -> None:
    put("notifications.send_order_received", "dead")
    shown = {
        user.email: {d["handler"]: d for d in timeline(user, order)[0]["deliveries"]}[
            "notifications.send_order_received"
        ]
        for user in (ada, make_user("sam", superuser=True))
    }
    assert "last_error" not in shown["ada@example.com"]
    assert shown["sam@example.com"]["last_error"] == "no such letter box"
    assert shown["ada@example.com"]["attempts"] == 3


def test_what_went_wrong_is_not_told_once_it_is_done(order: Order) -> None:
    put("notifications.send_order_received", "dead")
    Delivery.objects.filter(handler="notifications.send_order_received").update(state="done", reason="")
    (created,) = timeline(make_user("sam", superuser=True), order)
    by_handler = {delivery["handler"]: delivery for delivery in created["deliveries"]}
    assert by_handler["notifications.send_order_received"]["status"] == "done"
    assert by_handler["notifications.send_order_received"]["last_error"] == ""


def test_the_timeline_of_another_is_not_there(order: Order) -> None:
    answer = client_of(make_user("grace")).get(f"/api/v1/orders/{order.id}/timeline")
    check_problem(answer, 404, "not_found")


def test_another_order_s_events_are_not_in_it(ada: User, order: Order) -> None:
    place(ada, CUP=2)
    assert len(timeline(ada, order)) == 1
    assert Event.objects.count() == 2


def test_a_long_life_costs_as_many_queries_as_a_short_one(
    ada: User, order: Order, django_assert_num_queries: Any
) -> None:
    client = client_of(ada)
    for _ in range(2):
        with django_assert_num_queries(4):  # the token, the order, the events, their deliveries
            client.get(f"/api/v1/orders/{order.id}/timeline")
        if Delivery.objects.count() == 3:
            cancel_order(order, by="customer")
