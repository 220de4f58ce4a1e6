"""Writes of orders: placing one, and each step of its life. Every step publishes its event in its transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now
from rest_framework.exceptions import APIException, ValidationError

from events.catalogue import (
    EventData,
    Line,
    OrderCancelledV1,
    OrderConfirmedV1,
    OrderCreatedV1,
    OrderFulfilledV1,
    OrderRejectedV1,
)
from events.publishing import publish
from inventory.models import Product
from inventory.selectors import for_sale
from orders.models import Order, OrderLine, StatusChange
from orders.states import Status, sources


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


@transaction.atomic
def place_order(*, user_id: UUID, items: Sequence[Item]) -> Order:
    """Accept an order: the order, its lines and order.created are committed together.

    Names and prices are copied. Raises ValidationError for a product that is not sold, one that is named twice, and
    products of several currencies.
    """
    products = _products(items)
    number, now = _next_number()
    order = Order(user_id=user_id, number=number, currency=products[items[0].sku].currency, created_at=now)
    order.updated_at = now
    lines = [_line(order, position, item, products[item.sku]) for position, item in enumerate(items)]
    order.total = sum((line.line_total for line in lines), Decimal(0))
    order.save(force_insert=True)
    OrderLine.objects.bulk_create(lines)
    StatusChange.objects.create(order=order, to_status=Status.PENDING)
    publish(OrderCreatedV1(**_snapshot(order, lines)))
    return order


def confirm_order(order_id: UUID) -> bool:
    """Confirm a pending order; False where it has moved on already, which is fine."""
    return _move(order_id, Status.CONFIRMED, lambda facts: OrderConfirmedV1(**facts)) is not None


@transaction.atomic
def confirm_orders(order_ids: Collection[UUID], *, correlation_ids: Mapping[UUID, str]) -> int:
    """Confirm those that are pending of these orders; return how many. `correlation_ids`, by order, for the events."""
    pending = Order.objects.select_for_update(of=("self",)).filter(pk__in=order_ids, status=Status.PENDING)
    orders = list(pending.order_by("id").prefetch_related("lines"))
    if not orders:
        return 0
    Order.objects.filter(pk__in=[order.id for order in orders]).update(status=Status.CONFIRMED, updated_at=Now())
    StatusChange.objects.bulk_create(
        StatusChange(order=order, from_status=Status.PENDING, to_status=Status.CONFIRMED) for order in orders
    )
    events = [OrderConfirmedV1(**_snapshot(order, order.lines.all())) for order in orders]
    publish(*events, correlation_ids=correlation_ids)
    return len(orders)


def reject_order(order_id: UUID, *, reason: str) -> bool:
    """Reject a pending order; False where it has moved on already, which is fine."""
    rejected = _move(order_id, Status.REJECTED, lambda facts: OrderRejectedV1(**facts, reason=reason), reason=reason)
    return rejected is not None


def is_pending(order_id: UUID) -> bool:
    """Tell whether an order is pending, and keep it so to the end of the transaction."""
    return Order.objects.select_for_update().filter(pk=order_id, status=Status.PENDING).exists()


def cancel_order(order: Order, *, by: Literal["customer", "staff"]) -> Order:
    """Cancel a pending or confirmed order. Raises WrongStatus where it is too late."""
    moved = _move(order.id, Status.CANCELLED, lambda facts: OrderCancelledV1(**facts, reason=by), reason=by)
    return moved or _refuse(order, Status.CANCELLED)


def fulfil_order(order: Order) -> Order:
    """Mark a confirmed order as sent. Raises WrongStatus unless it is confirmed."""
    moved = _move(order.id, Status.FULFILLED, lambda facts: OrderFulfilledV1(**facts))
    return moved or _refuse(order, Status.FULFILLED)


@transaction.atomic
def _move(
    order_id: UUID, to: Status, event: Callable[[dict[str, Any]], EventData], *, reason: str = ""
) -> Order | None:
    """Take the order one step on, by a conditional update; None where the table of states does not allow it now."""
    before = Order.objects.select_for_update().filter(pk=order_id, status__in=sources(to)).first()
    if before is None:
        return None
    changes: dict[str, Any] = {"rejection_reason": reason} if to is Status.REJECTED else {}
    Order.objects.filter(pk=order_id, status=before.status).update(status=to, updated_at=Now(), **changes)
    StatusChange.objects.create(order=before, from_status=before.status, to_status=to, reason=reason)
    order = Order.objects.prefetch_related("lines").get(pk=order_id)
    publish(event(_snapshot(order, order.lines.all())))
    return order


def _refuse(order: Order, to: Status) -> Order:
    order.refresh_from_db(fields=["status"])
    raise WrongStatus(order, to)


def _next_number() -> tuple[str, datetime]:
    """Return a new order number and the transaction's time, from one round trip. Gaps between numbers are normal."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('orders_order_number'), now()")
        count, now = cursor.fetchone()
    return f"O-{count}", now


def _products(items: Sequence[Item]) -> Mapping[str, Product]:
    products = for_sale([item.sku for item in items])
    seen: set[str] = set()
    problems = [_problem(item, products, seen) for item in items]
    if any(problems):
        raise ValidationError({"items": problems}, code="invalid_items")
    if len({product.currency for product in products.values()}) > 1:
        raise ValidationError({"items": ["All products of an order must have the same currency."]}, code="currencies")
    return products


def _problem(item: Item, products: Mapping[str, Product], seen: set[str]) -> dict[str, list[str]]:
    if item.sku not in products:
        return {"sku": [f"There is no product {item.sku} on sale. GET /api/v1/products lists what is."]}
    if item.sku in seen:
        return {"sku": [f"{item.sku} stands in more than one line. Put it into one, with the whole quantity."]}
    seen.add(item.sku)
    return {}


def _line(order: Order, position: int, item: Item, product: Product) -> OrderLine:
    return OrderLine(
        order=order,
        position=position,
        sku=item.sku,
        name=product.name,
        quantity=item.quantity,
        unit_price=product.price,
        line_total=product.price * item.quantity,
    )


def _snapshot(order: Order, lines: Sequence[OrderLine] | Any) -> dict[str, Any]:
    """Return the order as its events tell it."""
    return {
        "order_id": order.id,
        "number": order.number,
        "user_id": order.user_id,
        "currency": order.currency,
        "total": order.total,
        "items": tuple(
            Line(
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=line.unit_price,
                line_total=line.line_total,
            )
            for line in lines
        ),
    }
