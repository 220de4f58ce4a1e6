"""The mails that follow from events. They act outside the database, on a queue of their own."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from django.conf import settings

from events.declare import outside
from events.handlers import ReceivedEvent
from events.policy import Backoff, Limits
from events.types import EventData
from eventtypes.orders import OrderCancelledV1, OrderConfirmedV1, OrderCreatedV1, OrderFulfilledV1, OrderRejectedV1
from eventtypes.sales import SalesDayEndedV1
from eventtypes.users import UserCreatedV1
from notifications.services import notify

T = TypeVar("T", bound=EventData)
Events = Sequence[ReceivedEvent[T]]
Sent = Iterator[ReceivedEvent[T]]

# A mail server may take its time, and greylisting asks for a quarter of an hour: longer limits than the default.
LIMITS = Limits(settings.EVENTS["LEASE"], longest=80)  # seconds; a soft limit of 60, three answers of the server
BACKOFF = Backoff(first=15 * settings.EVENTS["BACKOFF_FIRST"], longest=6 * settings.EVENTS["BACKOFF_LONGEST"])


@outside("notifications.send_welcome", many=True, limits=LIMITS, backoff=BACKOFF)
def send_welcome(events: Events[UserCreatedV1]) -> Sent[UserCreatedV1]:
    """Greet a new customer."""
    return notify(events, "welcome")


@outside("notifications.send_order_received", many=True, limits=LIMITS, backoff=BACKOFF)
def send_order_received(events: Events[OrderCreatedV1]) -> Sent[OrderCreatedV1]:
    """Say that the order has come in."""
    return notify(events, "order_received")


@outside("notifications.send_order_confirmed", many=True, limits=LIMITS, backoff=BACKOFF)
def send_order_confirmed(events: Events[OrderConfirmedV1]) -> Sent[OrderConfirmedV1]:
    """Say that the order will be delivered."""
    return notify(events, "order_confirmed")


@outside("notifications.send_order_rejected", many=True, limits=LIMITS, backoff=BACKOFF)
def send_order_rejected(events: Events[OrderRejectedV1]) -> Sent[OrderRejectedV1]:
    """Say that the order cannot be delivered, and why."""
    return notify(events, "order_rejected")


@outside("notifications.send_order_cancelled", many=True, limits=LIMITS, backoff=BACKOFF)
def send_order_cancelled(events: Events[OrderCancelledV1]) -> Sent[OrderCancelledV1]:
    """Say that the order is called off."""
    return notify(events, "order_cancelled")


@outside("notifications.send_order_fulfilled", many=True, limits=LIMITS, backoff=BACKOFF)
def send_order_fulfilled(events: Events[OrderFulfilledV1]) -> Sent[OrderFulfilledV1]:
    """Say that the goods have left."""
    return notify(events, "order_fulfilled")


@outside("notifications.send_sales_summary", many=True, limits=LIMITS, backoff=BACKOFF)
def send_sales_summary(events: Events[SalesDayEndedV1]) -> Sent[SalesDayEndedV1]:
    """Tell whom the settings name (SUMMARY_TO) what was sold on a day."""
    return notify(events, "sales_summary")
