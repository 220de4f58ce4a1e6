"""What an order causes, for Celery and Dramatiq alike: six pieces of work, each a transaction of its own.

What follows is sent after the commit. A message that comes twice is told by what is in the tables, where that tells
it; sales would be counted twice.
"""

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import uuid5

from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F, Model
from django.template.loader import render_to_string
from django.utils import timezone

from analytics.models import DailyProductSales, DailySales
from inventory.models import Product, Reservation, StockItem
from notifications.models import Notification
from notifications.writing import SUBJECTS
from orders.models import Order, StatusChange
from orders.states import Status

Send = Callable[[str], object]
"""Sends the message of a piece that follows, about the order of this id."""


class OutOfStock(Exception):
    """Something was short; nothing was reserved."""


def after_commit(order_id: str, *then: Send) -> None:
    """Send these messages once the open transaction is committed."""
    for send in then:
        transaction.on_commit(partial(send, order_id))


def reserve(order_id: str, *then: Send) -> None:
    """Set the order's pieces aside, all or none; reject the order where something is short."""
    try:
        _set_aside(order_id, *then)
    except OutOfStock:
        pending = Order.objects.filter(pk=order_id, status=Status.PENDING)
        pending.update(status=Status.REJECTED, updated_at=timezone.now())


@transaction.atomic
def confirm(order_id: str, *then: Send) -> None:
    order = Order.objects.select_for_update().get(pk=order_id)
    if order.status != Status.PENDING:
        return
    order.status = Status.CONFIRMED
    order.updated_at = timezone.now()
    order.save(update_fields=["status", "updated_at"])
    StatusChange.objects.create(order=order, from_status=Status.PENDING, to_status=Status.CONFIRMED)
    after_commit(order_id, *then)


@transaction.atomic
def _set_aside(order_id: str, *then: Send) -> None:
    order = Order.objects.prefetch_related("lines").get(pk=order_id)
    if order.status != Status.PENDING:
        return
    lines = order.lines.all()
    products = Product.objects.in_bulk([line.sku for line in lines], field_name="sku")
    for line in sorted(lines, key=lambda line: products[line.sku].pk):  # all lock in one order
        enough = StockItem.objects.filter(product=products[line.sku], on_hand__gte=F("reserved") + line.quantity)
        if not enough.update(reserved=F("reserved") + line.quantity):
            raise OutOfStock
    Reservation.objects.bulk_create(
        Reservation(order_id=order.pk, product=products[line.sku], quantity=line.quantity) for line in lines
    )
    after_commit(order_id, *then)


@transaction.atomic
def mail(order_id: str, template: str) -> None:
    """Mail the customer, and write that down."""
    order = Order.objects.select_related("user").prefetch_related("lines").get(pk=order_id)
    event_id = uuid5(order.pk, template)
    if Notification.objects.filter(event_id=event_id, template=template).exists():
        return
    context = _context(order)
    notification = Notification.objects.create(
        event_id=event_id,
        template=template,
        user_id=order.user_id,
        recipient=order.user.email,
        subject=SUBJECTS[template].format(**context),
        text=render_to_string(f"notifications/{template}.txt", context),
        html=render_to_string(f"notifications/{template}.html", context),
    )
    message = EmailMultiAlternatives(notification.subject, notification.text, to=[notification.recipient])
    message.attach_alternative(notification.html, "text/html")
    message.send()
    notification.state = Notification.State.SENT
    notification.sent_at = timezone.now()
    notification.save(update_fields=["state", "sent_at"])


def _context(order: Order) -> dict[str, Any]:
    return {
        "number": order.number,
        "currency": order.currency,
        "total": order.total,
        "items": order.lines.all(),
    }


@transaction.atomic
def track(order_id: str, status: Status) -> None:
    """Count the order as one that has reached this status."""
    order = Order.objects.prefetch_related("lines").get(pk=order_id)
    key = {"day": timezone.now().date(), "currency": order.currency, "status": status}
    _add(DailySales, key, orders=1, amount=order.total)
    for line in sorted(order.lines.all(), key=attrgetter("sku")):  # all lock in one order
        _add(DailyProductSales, key | {"sku": line.sku}, quantity=line.quantity, amount=line.line_total)


def _add(table: type[Model], key: dict[str, Any], **sums: Any) -> None:
    """Add to a row of the figures in the database, so that two at once lose nothing; make the row where it is new."""
    row = table._default_manager.filter(**key)
    more = {name: F(name) + value for name, value in sums.items()}
    if not row.update(**more):
        table._default_manager.get_or_create(**key)
        row.update(**more)
