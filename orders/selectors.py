"""Reads of orders."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from events.sql import columns, fetch
from inventory.selectors import reserved_for
from orders.access import VIEW_ORDERS
from orders.models import Order, StatusChange
from users.models import User
from values.emails import spellings


def orders_visible_to(user: User) -> QuerySet[Order]:
    """Return the orders that this person may see: their own, or all for staff with the permission."""
    orders = Order.objects.all()
    return orders if VIEW_ORDERS.allows(user) else orders.filter(user=user)


class LineValues(NamedTuple):
    """What the API says of an order's line."""

    order: Order
    sku: str
    name: str
    quantity: int
    unit_price: Decimal
    line_total: Decimal


def with_lines(orders: Iterable[Order]) -> Sequence[Order]:
    """Read the lines of these orders, to be shown, at a third of what prefetch_related() takes; return the orders."""
    found = {order.id: order for order in orders}
    lines: dict[UUID, list[LineValues]] = {order_id: [] for order_id in found}
    for order_id, *line in fetch(_LINES, {"orders": list(found)}) if found else ():
        lines[order_id].append(LineValues(found[order_id], *line))
    for order_id, order in found.items():
        order.keep_lines(lines[order_id])
    return list(found.values())


_LINES = """
SELECT order_id, sku, name, quantity, unit_price, line_total
FROM orders_orderline WHERE order_id = ANY(%(orders)s::uuid[]) ORDER BY order_id, position
"""


def matching(
    orders: QuerySet[Order],
    *,
    number: str | None = None,
    customer: str | None = None,
    status: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> QuerySet[Order]:
    """Return those with this number or status, of this customer (an id or an e-mail address), created at or after one
    moment and before another.
    """
    wanted = {
        "number": number,
        "user_id__in": _ids_of(customer) if customer else None,
        "status": status,
        "created_at__gte": created_after,
        "created_at__lt": created_before,
    }
    return orders.filter(**{name: value for name, value in wanted.items() if value is not None})


def _ids_of(customer: str) -> list[Any]:
    """Return the id, or those of the accounts with an e-mail address: two, where an earlier release made two."""
    return list(User.objects.with_address(customer).values_list("id", flat=True)) if "@" in customer else [customer]


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


def search(orders: QuerySet[Order], text: str) -> QuerySet[Order]:
    """Return the orders with this number, id, or customer's e-mail address, or with pieces of this sku; exactly.

    What was typed tells which of them it is: each alone is found by an index, and all together by none. Lines have no
    index on their sku, which each order would pay for; reservations have, so an order is found once its stock was
    reserved, and of a sku that sells much the newest orders.
    """
    if re.fullmatch(r"O-\d+", text, re.IGNORECASE):
        return orders.filter(number=text.upper())
    if "@" in text:
        return orders.filter(user__email__in=spellings(text))
    try:
        return orders.filter(pk=UUID(text))
    except ValueError:
        return orders.filter(pk__in=reserved_for(text))
