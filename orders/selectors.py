"""Reads of orders."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from events.sql import columns, fetch
from orders.models import Order, StatusChange
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


def find_order(order_id: UUID) -> Order | None:
    """Return an order with its lines, whoever's it is; None where there is none."""
    return Order.objects.prefetch_related("lines").filter(pk=order_id).first()


def moved(told: Sequence[tuple[UUID, str]], *, most: int) -> dict[UUID, Order]:
    """Return those, `most` of them, that are not in the status beside them any more, with their lines and history."""
    ids, statuses = columns(told, width=2)
    found = [row[0] for row in fetch(_MOVED, {"ids": ids, "statuses": statuses, "most": most})]
    return Order.objects.prefetch_related("lines", "history").in_bulk(found) if found else {}


# One look at the primary key for each order, however many there are, and nothing comes back for those that stay.
_MOVED = """
SELECT DISTINCT o.id FROM unnest(%(ids)s::uuid[], %(statuses)s::text[]) AS told (id, status)
JOIN orders_order o ON o.id = told.id AND o.status <> told.status
LIMIT %(most)s
"""


def steps_after(order: Order, status: str) -> list[StatusChange]:
    """Return the steps that the order took from this status on, in their order.

    Each leads from where the one before it led to, and none leads back (orders/states.py): no clock is asked.
    """
    leading_from = {step.from_status: step for step in order.history.all()}
    steps: list[StatusChange] = []
    while step := leading_from.get(status):
        steps.append(step)
        status = step.to_status
    return steps
