"""Writes of orders: placing one, and each step of its life. Every step publishes its event in its transaction."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb
from rest_framework.exceptions import APIException, ValidationError
from uuid_utils.compat import uuid7

from events.handlers import ReceivedEvent
from events.publishing import publish
from events.sql import fetch, joined_transaction
from eventtypes.orders import REACHED, Line, OrderCreatedV1
from inventory.selectors import Offer, for_sale
from orders.models import Order, OrderLine
from orders.states import Status, sources
from values.money import in_currency

Causes = Mapping[UUID, ReceivedEvent[Any]]


@dataclass(frozen=True)
class Item:
    """What a customer asks for in one line."""

    sku: str
    quantity: int


class WrongStatus(APIException):
    """The order has gone on to where this step is not possible."""

    status_code = 409
    default_code = "wrong_status"

    def __init__(self, order: Order, to: Status) -> None:
        super().__init__(f"Order {order.number} is {order.status}, so it cannot be {to} now.")


@joined_transaction()
def place_order(*, user_id: UUID, items: Sequence[Item]) -> Order:
    """Accept an order: the order, its lines and order.created are committed together.

    Names and prices are copied. Raises ValidationError for a product that is not sold, one that is named twice, and
    products of several currencies; nothing is written then. Joins a transaction that is open.
    """
    products = _products(items)
    order = Order(user_id=user_id, currency=products[items[0].sku].currency)
    lines = [_line(order, position, item, products[item.sku]) for position, item in enumerate(items)]
    order.total = sum((line.line_total for line in lines), Decimal(0))
    _insert(order, lines)
    of_event = [Line(**{name: getattr(line, name) for name in Line.model_fields}) for line in lines]
    publish(OrderCreatedV1(**_snapshot(order, of_event)))
    return order


def confirm_orders(order_ids: Collection[UUID], *, causes: Causes | None = None) -> int:
    """Confirm those that are pending of these orders; return how many. The others have moved on, which is fine.

    `causes`: as publish() takes them.
    """
    return len(_move(order_ids, Status.CONFIRMED, causes=causes))


def reject_orders(reasons: Mapping[UUID, str], *, causes: Causes | None = None) -> int:
    """Reject those that are pending of these orders, each for its reason, as confirm_orders() confirms them."""
    return len(_move(reasons.keys(), Status.REJECTED, reasons=reasons, causes=causes))


def is_pending(order_id: UUID) -> bool:
    """Tell whether an order is pending, and keep it so to the end of the transaction."""
    return Order.objects.select_for_update(no_key=True).filter(pk=order_id, status=Status.PENDING).exists()


def cancel_order(order: Order, *, by: Literal["customer", "staff"]) -> Order:
    """Cancel a pending or confirmed order. Raises WrongStatus where it is too late."""
    return _moved(order, Status.CANCELLED, _move([order.id], Status.CANCELLED, reasons={order.id: by}))


def fulfil_order(order: Order) -> Order:
    """Mark a confirmed order as sent. Raises WrongStatus unless it is confirmed."""
    return _moved(order, Status.FULFILLED, _move([order.id], Status.FULFILLED))


@joined_transaction()
def _move(
    order_ids: Collection[UUID],
    to: Status,
    *,
    reasons: Mapping[UUID, str] | None = None,
    causes: Causes | None = None,
) -> Sequence[UUID]:
    """Take these orders one step on, locked to the commit; return those of which the table of states allows it now.

    Each publishes the event of its new status, which tells the reason where there is one.
    """
    reasons, ids = reasons or {}, list(order_ids)
    parameters = {
        "orders": ids,
        "steps": [uuid7() for _ in ids],
        "reasons": [reasons.get(order_id, "") for order_id in ids],
        "from": sources(to),
        "to": to,
    }
    rows = fetch(_MOVE, parameters)
    moved = {row[0]: _Moved(*row[:5]) for row in rows}
    lines: dict[UUID, list[Line]] = {order_id: [] for order_id in moved}
    for row in rows:
        lines[row[0]].append(Line(**dict(zip(Line.model_fields, row[5:], strict=True))))
    why: dict[UUID, dict[str, Any]] = {order_id: {"reason": reason} for order_id, reason in reasons.items()}
    if moved:
        publish(*(REACHED[to](**_snapshot(o, lines[o.id]), **why.get(o.id, {})) for o in moved.values()), causes=causes)
    return list(moved)


class _Moved(NamedTuple):
    id: UUID
    number: str
    user_id: UUID
    currency: str
    total: Decimal


# The orders are locked in sorted order, then moved; a row for each line of each.
_MOVE = """
WITH found AS (
    SELECT o.id, o.status, step.id AS step, step.reason
    FROM orders_order o
    JOIN unnest(%(orders)s::uuid[], %(steps)s::uuid[], %(reasons)s::text[]) AS step (order_id, id, reason)
        ON step.order_id = o.id
    WHERE o.status = ANY(%(from)s)
    ORDER BY o.id FOR NO KEY UPDATE OF o
), moved AS (
    UPDATE orders_order o
    SET status = %(to)s::text, updated_at = statement_timestamp(),
        rejection_reason = CASE WHEN %(to)s::text = 'rejected' THEN found.reason ELSE o.rejection_reason END
    FROM found WHERE o.id = found.id
    RETURNING o.id, o.number, o.user_id, o.currency, o.total
), steps AS (
    INSERT INTO orders_statuschange (id, order_id, from_status, to_status, reason, at)
    SELECT step, id, status, %(to)s::text, reason, statement_timestamp() FROM found
)
SELECT moved.*, line.sku, line.name, line.quantity, line.unit_price, line.line_total
FROM moved JOIN orders_orderline line ON line.order_id = moved.id
ORDER BY moved.id, line.position
"""


def _moved(order: Order, to: Status, moved: Sequence[UUID]) -> Order:
    """Return the order as it is now. Raises WrongStatus where it was not moved."""
    order.refresh_from_db(fields=["status", "updated_at"])
    if not moved:
        raise WrongStatus(order, to)
    return order


# One statement in place of four: each costs a round trip, and the ORM as much again to write it. The number and the
# time are the database's; gaps between numbers are normal.
_INSERT = """
WITH placed AS (
    INSERT INTO orders_order (id, number, user_id, status, currency, total, rejection_reason, created_at, updated_at)
    VALUES (%(id)s, 'O-' || nextval('orders_order_number'), %(user)s, %(status)s, %(currency)s, %(total)s, '',
            now(), now())
    RETURNING id, number, status, created_at
), line AS (
    INSERT INTO orders_orderline (id, order_id, position, sku, name, quantity, unit_price, line_total)
    SELECT l.id, placed.id, l.position, l.sku, l.name, l.quantity, l.unit_price, l.line_total
    FROM placed, jsonb_to_recordset(%(lines)s) AS l (
        id uuid, position int, sku text, name text, quantity int, unit_price numeric, line_total numeric)
), step AS (
    INSERT INTO orders_statuschange (id, order_id, from_status, to_status, reason, at)
    SELECT %(step)s, id, '', status, '', created_at FROM placed
)
SELECT number, created_at FROM placed
"""


COLUMNS = ("id", "position", "sku", "name", "quantity", "unit_price", "line_total")
_dumps = partial(json.dumps, default=str)


def _insert(order: Order, lines: Sequence[OrderLine]) -> None:
    """Write the order, its lines and its first step; fill in what the database gives."""
    parameters: dict[str, Any] = {
        "id": order.id,
        "user": order.user_id,
        "status": order.status,
        "currency": order.currency,
        "total": order.total,
        "lines": Jsonb([{name: getattr(line, name) for name in COLUMNS} for line in lines], dumps=_dumps),
        "step": uuid7(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, parameters)
        order.number, order.created_at = cursor.fetchone()
    order.updated_at = order.created_at
    order.keep_lines(lines)


def _products(items: Sequence[Item]) -> Mapping[str, Offer]:
    products = for_sale([item.sku for item in items])
    seen: set[str] = set()
    problems = [_problem(item, products, seen) for item in items]
    if any(problems):
        raise ValidationError({"items": problems}, code="invalid_items")
    if len({product.currency for product in products.values()}) > 1:
        raise ValidationError({"items": ["All products of an order must have the same currency."]}, code="currencies")
    return products


def _problem(item: Item, products: Mapping[str, Offer], seen: set[str]) -> dict[str, list[str]]:
    if item.sku not in products:
        return {"sku": [f"There is no product {item.sku} on sale. GET /api/v1/products lists what is."]}
    if item.sku in seen:
        return {"sku": [f"{item.sku} stands in more than one line. Put it into one, with the whole quantity."]}
    seen.add(item.sku)
    return {}


def _line(order: Order, position: int, item: Item, product: Offer) -> OrderLine:
    price = in_currency(product.price, product.currency)
    return OrderLine(
        order=order,
        position=position,
        sku=item.sku,
        name=product.name,
        quantity=item.quantity,
        unit_price=price,
        line_total=price * item.quantity,
    )


def _snapshot(order: "Order | _Moved", lines: Sequence[Line]) -> dict[str, Any]:
    """Return the order as its events tell it."""
    return {
        "order_id": order.id,
        "number": order.number,
        "user_id": order.user_id,
        "currency": order.currency,
        "total": order.total,
        "items": tuple(lines),
    }
