"""Placing an order by the ORM."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from benchmarks.plain.effects import Send, after_commit
from inventory.models import Product
from orders.models import Order, OrderLine, StatusChange
from orders.states import Status

Item = Mapping[str, Any]
"""A `sku` and a `quantity`."""


@transaction.atomic
def place(user_id: UUID, items: Sequence[Item], *then: Send) -> Order:
    """Write the order with its lines, names and prices copied, and send `then` after the commit.

    Raises ValidationError for a product that is not sold, and for one that is named twice.
    """
    products = Product.objects.filter(is_active=True).in_bulk([item["sku"] for item in items], field_name="sku")
    if len(products) < len(items):
        raise ValidationError({"items": ["A product is not on sale, or named twice."]})
    now = timezone.now()
    order = Order.objects.create(
        number=_next_number(),
        user_id=user_id,
        currency=products[items[0]["sku"]].currency,
        total=sum((products[item["sku"]].price * item["quantity"] for item in items), Decimal(0)),
        created_at=now,
        updated_at=now,
    )
    OrderLine.objects.bulk_create(
        _line(order, position, item, products[item["sku"]]) for position, item in enumerate(items)
    )
    StatusChange.objects.create(order=order, to_status=Status.PENDING)
    after_commit(str(order.pk), *then)
    return order


def _next_number() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('orders_order_number')")
        return f"O-{cursor.fetchone()[0]}"


def _line(order: Order, position: int, item: Item, product: Product) -> OrderLine:
    return OrderLine(
        order=order,
        position=position,
        sku=product.sku,
        name=product.name,
        quantity=item["quantity"],
        unit_price=product.price,
        line_total=product.price * item["quantity"],
    )
