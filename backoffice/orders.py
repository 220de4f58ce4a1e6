"""The page of an order, with what the bus and the mails know of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from adminkit.pages import Section, link, table
from events.admin.history import delivery_link
from events.models import Event
from events.selectors import history_of
from notifications.models import Notification
from orders.admin import OrderAdmin
from orders.models import Order

HEADERS = ["#", "Event", "Time", "Handler", "State", "Attempts", "Over since", "Last error", "Mail"]
Mails = Mapping[tuple[UUID, str], Notification]  # by event and handler


@admin.register(Order)
class OrderPage(OrderAdmin):
    """Orders, each with its customer and its timeline."""

    fields = ["number", "customer", "status", "total", "currency", "rejection_reason", "created_at", "updated_at", "id"]
    readonly_fields = ["customer"]

    @admin.display
    def customer(self, order: Order) -> SafeString:
        """Return a link to the customer."""
        return link(order.user, "ordersite_customer_change", order.user_id)

    def sections(self, request: HttpRequest, row: Order) -> Sequence[Section]:
        """Show the order's events, each with how far its handlers are."""
        return [Section("Events and their handlers", timeline(row.id, request.user))]


def timeline(order_id: UUID, reader: Any) -> SafeString:
    """Return an order's events with their deliveries and the mails that they caused; links are to what the reader may
    open.
    """
    events = list(history_of(order_id))
    sent = Notification.objects.filter(event_id__in=[event.id for event in events])
    mails = {
        (mail.event_id, f"notifications.send_{mail.template}"): mail
        for mail in sent.only("id", "event_id", "template", "state")
    }
    rows = (row for event in events for row in _rows(event, mails, reader))
    return table("Events of this order, and how far their handlers are", HEADERS, rows)


def _rows(event: Event, mails: Mails, reader: Any) -> Iterator[Sequence[object]]:
    of_event = (event.sequence, event.type, _moment(event.time))
    deliveries = event.deliveries.all()
    if not deliveries:
        yield (*of_event, "none, or purged", "", "", "", "", "")
    for delivery in deliveries:
        mail = mails.get((event.id, delivery.handler))
        yield (
            *of_event,
            delivery.handler,
            delivery_link(delivery) if reader.has_perm("events.view_delivery") else delivery.state,
            delivery.attempts,
            _moment(delivery.handled_at) if delivery.handled_at else "",
            ": ".join(filter(None, delivery.last_error)),
            _mail_link(mail, reader) if mail else "",
        )


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}"


def _mail_link(mail: Notification, reader: Any) -> SafeString | str:
    may_open = reader.has_perm("notifications.view_notification")
    return link(mail.state, "notifications_notification_change", mail.pk) if may_open else mail.state
