"""An order's life, as the customer and staff see it."""

import statistics
import time
from email import message_from_string, policy
from typing import Any
from uuid import uuid4

from events.tests.waiting import until
from tests.journeys.client import Api, call
from tests.journeys.system import System

SKU = "TEA-SENCHA-100"


def final(api: Api, order: Any, status: str) -> None:
    until(f"the order is {status}", lambda: api.status(order) == status)


def available(api: Api, sku: str) -> int:
    return int(api.get(f"/products/{sku}").json["available"])


def test_an_order_is_confirmed_and_its_mails_arrive(system: System, ada: Api) -> None:
    before = available(ada, SKU)
    order = ada.order(SKU, 2)
    assert order["status"] == "pending"
    final(ada, order, "confirmed")
    assert available(ada, SKU) == before - 2
    (received,) = until(
        "one mail", lambda: system.mailbox.about(f"Subject: We have received your order {order['number']}")
    )
    (confirmed,) = until(
        "the other", lambda: system.mailbox.about(f"Subject: Your order {order['number']} is confirmed")
    )
    assert "To: ada@example.com" in received
    mail = message_from_string(confirmed, policy=policy.default)
    assert mail["Message-ID"].endswith("@ordersite>")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_the_request_id_is_on_everything_that_follows(system: System, ada: Api) -> None:
    request_id = f"journey-{uuid4()}"
    answer = ada.post("/orders", {"items": [{"sku": SKU, "quantity": 1}]}, X_Request_ID=request_id)
    assert answer.headers["X-Request-ID"] == request_id
    final(ada, answer.json, "confirmed")
    until("both mails carry it", lambda: len(system.mailbox.about(f"X-Request-ID: {request_id}")) == 2)
    events = system.sql("SELECT DISTINCT correlation_id FROM events_event WHERE subject = %s", answer.json["id"])
    assert events == [(request_id,)]


def test_an_order_for_more_than_there_is_is_rejected_with_what_was_short(system: System, ada: Api) -> None:
    order = ada.order("TEA-GYOKURO-250", 900)
    final(ada, order, "rejected")
    reason = ada.get(f"/orders/{order['id']}").json["rejection_reason"]
    assert "TEA-GYOKURO-250" in reason
    assert "900 ordered" in reason
    until("the mail says so", lambda: system.mailbox.about(f"We cannot deliver your order {order['number']}"))


def test_an_order_cancelled_before_its_reservation_leaves_no_stock_reserved(system: System, ada: Api) -> None:
    before = available(ada, SKU)
    with system.locked(SKU):
        order = ada.order(SKU)
        assert ada.post(f"/orders/{order['id']}/cancel").status == 200
    until("the stock was freed", lambda: system.delivery(order, "inventory.release_items")[1] == "done")
    assert ada.status(order) == "cancelled"
    assert available(ada, SKU) == before


def test_an_order_cancelled_after_its_confirmation_frees_its_stock(system: System, ada: Api) -> None:
    before = available(ada, SKU)
    order = ada.order(SKU, 3)
    final(ada, order, "confirmed")
    assert available(ada, SKU) == before - 3
    assert ada.post(f"/orders/{order['id']}/cancel").json["status"] == "cancelled"
    until("the stock is back", lambda: available(ada, SKU) == before)
    again = ada.post(f"/orders/{order['id']}/cancel")
    assert (again.status, again.json["code"]) == (409, "wrong_status")


def test_a_fulfilled_order_leaves_the_shelf(system: System, ada: Api, staff: Api) -> None:
    order = ada.order(SKU, 2)
    final(ada, order, "confirmed")
    assert ada.post(f"/orders/{order['id']}/fulfil").status == 403
    assert staff.post(f"/orders/{order['id']}/fulfil").json["status"] == "fulfilled"
    until("it is shipped", lambda: system.delivery(order, "inventory.ship_items")[1] == "done")
    shipped = system.sql("SELECT quantity FROM inventory_movement WHERE order_id = %s", order["id"])
    assert shipped == [(-2,)]
    assert ada.post(f"/orders/{order['id']}/cancel").status == 409


def test_the_timeline_tells_the_whole_story(system: System, ada: Api, staff: Api) -> None:
    order = ada.order(SKU)
    until("all is handled", lambda: system.delivery(order, "notifications.send_order_confirmed")[1] == "done")
    until("all is counted", lambda: system.delivery(order, "analytics.track_order")[1] == "done")
    events = ada.get(f"/orders/{order['id']}/timeline").json["results"]
    assert [(e["sequence"], e["type"]) for e in events] == [
        (1, "order.created.v1"),
        (2, "stock.reserved.v1"),
        (3, "order.confirmed.v1"),
    ]
    statuses = {d["status"] for e in events for d in e["deliveries"]}
    assert statuses == {"done"}
    assert "last_error" not in events[0]["deliveries"][0]
    assert "last_error" in staff.get(f"/orders/{order['id']}/timeline").json["results"][0]["deliveries"][0]


def test_a_new_customer_is_welcomed(system: System) -> None:
    email = f"{uuid4()}@example.com"
    registered = call("POST", f"{system.web}/api/v1/users", {"email": email, "password": "a-long-password"})
    assert registered.status == 201
    until("the welcome mail", lambda: [mail for mail in system.mailbox.about(f"To: {email}") if "ready" in mail])


def test_an_order_at_rest_is_confirmed_within_300_ms(system: System, ada: Api) -> None:
    def seconds() -> float:
        order = ada.order(SKU)
        until("confirmed", lambda: ada.status(order) == "confirmed")
        rows = system.sql("SELECT updated_at - created_at FROM orders_order WHERE id = %s", order["id"])
        return float(rows[0][0].total_seconds())

    started = time.monotonic()
    taken = [seconds() for _ in range(20)]
    assert statistics.median(taken) < 0.3, (taken, time.monotonic() - started)


WORKERS_BACKENDS = """
SELECT pid FROM pg_stat_activity WHERE application_name = 'ordersite' AND datname = current_database()
"""


def test_workers_keep_their_connections_from_one_order_to_the_next(system: System, ada: Api) -> None:
    final(ada, ada.order(SKU), "confirmed")
    before = set(system.sql(WORKERS_BACKENDS))
    assert len(before) >= 3  # the relay's, and those of two workers
    final(ada, ada.order(SKU), "confirmed")
    assert before <= set(system.sql(WORKERS_BACKENDS))
