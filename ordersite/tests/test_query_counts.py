"""No read asks the database once for each row: with more rows there are as many queries as with few."""

from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from events.models import Decision, Delivery, FailedAttempt
from notifications.models import Notification
from orders.models import Order
from orders.services import Item, confirm_orders, place_order
from testing.api import admin_client, client_of, make_user
from testing.contract import api_operations
from testing.reporting import ready_report
from testing.shop import make_product
from users.models import User

pytestmark = pytest.mark.django_db
READS = sorted(name.removeprefix("GET ") for name in api_operations() if name.startswith("GET "))
FEW, MORE = 2, 6
ADMIN = sorted(model._meta.label_lower for model in admin.site._registry)


def grow(user: User, rows: int) -> tuple[Order, UUID]:
    """Make so many of everything; return an order of so many lines, and a letter with so many attempts."""
    present = Order.objects.count()
    for number in range(present, rows):
        make_product(f"CUP-{number}")
        make_user(f"customer-{number}")
        order = place_order(user_id=user.id, items=[Item(f"CUP-{n}", 1) for n in range(number + 1)])
        confirm_orders([order.id])
        letters = Delivery.objects.filter(subject=order.id, handler="analytics.track_order").order_by("id")[:1]
        Delivery.objects.filter(pk__in=list(letters.values_list("pk", flat=True))).update(
            state="dead", reason="permanent_error", handled_at=Now()
        )
        Notification.objects.create(
            event_id=order.id, template="order_received", user_id=user.id, recipient="a@example.com", subject="x"
        )
    letter = Delivery.objects.filter(state="dead").latest("id")
    for number in range(rows):
        FailedAttempt.objects.create(delivery=letter, number=number, started_at=order.created_at, worker="w")
        Decision.objects.create(delivery=letter, action="replay", by="ann")
    return order, letter.id


def read(answer: Any) -> None:
    """Take the body of an answer that is sent as it is read: that closes its file."""
    if answer.streaming:
        answer.getvalue()


def count_queries(client: Any, path: str) -> int:
    cache.clear()
    read(client.get(path))  # what is kept from one request to the next is there now
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(path)
    read(answer)
    assert answer.status_code == 200, path
    return len(queries)


@pytest.mark.parametrize("path", READS)
def test_a_read_of_the_api_takes_as_many_queries_for_more_rows(path: str) -> None:
    staff = make_user("sam", superuser=True)
    client = client_of(staff)

    def count(rows: int) -> int:
        order, letter = grow(staff, rows)
        ids = {
            "user_id": staff.id,
            "order_id": order.id,
            "sku": "CUP-0",
            "letter_id": letter,
            "report_id": ready_report(staff).id,
        }
        query = "?from=2025-01-01&to=2025-01-02" if path == "analytics/sales" else ""
        return count_queries(client, f"/api/v1/{path.format(**ids)}{query}")

    assert count(FEW) == count(MORE)


@pytest.mark.parametrize("model", ADMIN)
def test_a_list_of_the_admin_takes_as_many_queries_for_more_rows(model: str) -> None:
    chief = User.objects.create_superuser("chief@example.com")
    client = admin_client(chief)
    path = f"/admin/{model.replace('.', '/')}/"

    def count(rows: int) -> int:
        grow(chief, rows)
        return count_queries(client, path)

    assert count(FEW) == count(MORE)
