"""Reads of orders."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from orders.models import Order
from users.models import User


def orders_visible_to(user: User) -> QuerySet[Order]:
    """Return the orders that this person may see, with their lines: their own, or all for staff."""
    orders = Order.objects.prefetch_related("lines")
    return orders if user.is_staff else orders.filter(user=user)


def version_of(orders: QuerySet[Order], order_id: UUID) -> tuple[object, ...] | None:
    """Return what changes whenever an order does, by one look-up without its lines; None where it is not there."""
    return orders.filter(pk=order_id).values_list("id", "status", "updated_at").first()


def matching(
    orders: QuerySet[Order],
    *,
    status: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> QuerySet[Order]:
    """Return those with this status, created at or after one moment and before another."""
    wanted = {"status": status, "created_at__gte": created_after, "created_at__lt": created_before}
    return orders.filter(**{name: value for name, value in wanted.items() if value is not None})
