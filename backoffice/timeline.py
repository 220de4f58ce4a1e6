"""An order's events with their deliveries, each linked to its page and to the mail that it caused."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.safestring import SafeString

from adminkit.pages import link, table
from events.admin.history import delivery_link
from events.models import Delivery, Event
from events.selectors import history_of
from notifications.models import Notification

HEADERS = ["#", "Event", "Time", "Handler", "State", "Attempts", "Over since", "Last error", "Mail"]
Mails = Mapping[tuple[UUID, str], Notification]  # by event and handler
Row = tuple[object, ...]


def timeline(order_id: UUID, reader: Any) -> SafeString:
    """Return the table; it links to what the reader may open."""
    events = list(history_of(order_id))
    mails = {(mail.event_id, f"notifications.send_{mail.template}"): mail for mail in _mails(events)}
    rows = (row for event in events for row in _rows(event, mails, reader))
    return table("Events of this order, and how far their handlers are", HEADERS, rows)


def _mails(events: list[Event]) -> Iterator[Notification]:
    ids = [event.id for event in events]
    yield from Notification.objects.filter(event_id__in=ids).only("id", "event_id", "template", "state")


def _rows(event: Event, mails: Mails, reader: Any) -> Iterator[Row]:
    of_event = (event.sequence, event.type, _moment(event.time))
    deliveries = event.deliveries.all()
    if not deliveries:
        yield (*of_event, "none, or purged", "", "", "", "", "")
    for delivery in deliveries:
        yield (*of_event, *_of_delivery(delivery, mails.get((event.id, delivery.handler)), reader))


def _of_delivery(delivery: Delivery, mail: Notification | None, reader: Any) -> Row:
    state = delivery_link(delivery) if reader.has_perm("events.view_delivery") else delivery.state
    return (
        delivery.handler,
        state,
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
