"""The mails that follow from events. They act outside the database, on a queue of their own."""

from functools import partial
from typing import Any

from django.conf import settings

from events.declare import outside
from events.handlers import ReceivedEvent
from events.policy import Backoff, Limits
from eventtypes.orders import OrderCancelledV1, OrderConfirmedV1, OrderCreatedV1, OrderFulfilledV1, OrderRejectedV1
from eventtypes.sales import SalesDayEndedV1
from eventtypes.users import UserCreatedV1
from notifications.services import notify, notify_many

# A mail server may take its time, and greylisting asks for a quarter of an hour: longer limits than the default.
MAIL: dict[str, Any] = {
    "limits": Limits(settings.EVENTS["LEASE"], longest=80),  # seconds; a soft limit of 60, three answers of the server
    "backoff": Backoff(first=15 * settings.EVENTS["BACKOFF_FIRST"], longest=6 * settings.EVENTS["BACKOFF_LONGEST"]),
}


@outside("notifications.send_welcome", many=partial(notify_many, template="welcome"), **MAIL)
def send_welcome(event: ReceivedEvent[UserCreatedV1]) -> None:
    """Greet a new customer."""
    notify(event, "welcome")


@outside("notifications.send_order_received", many=partial(notify_many, template="order_received"), **MAIL)
def send_order_received(event: ReceivedEvent[OrderCreatedV1]) -> None:
    """Say that the order has come in."""
    notify(event, "order_received")


@outside("notifications.send_order_confirmed", many=partial(notify_many, template="order_confirmed"), **MAIL)
def send_order_confirmed(event: ReceivedEvent[OrderConfirmedV1]) -> None:
    """Say that the order will be delivered."""
    notify(event, "order_confirmed")


@outside("notifications.send_order_rejected", many=partial(notify_many, template="order_rejected"), **MAIL)
def send_order_rejected(event: ReceivedEvent[OrderRejectedV1]) -> None:
    """Say that the order cannot be delivered, and why."""
    notify(event, "order_rejected")


@outside("notifications.send_order_cancelled", many=partial(notify_many, template="order_cancelled"), **MAIL)
def send_order_cancelled(event: ReceivedEvent[OrderCancelledV1]) -> None:
    """Say that the order is called off."""
    notify(event, "order_cancelled")


@outside("notifications.send_order_fulfilled", many=partial(notify_many, template="order_fulfilled"), **MAIL)
def send_order_fulfilled(event: ReceivedEvent[OrderFulfilledV1]) -> None:
    """Say that the goods have left."""
    notify(event, "order_fulfilled")


@outside("notifications.send_sales_summary", many=partial(notify_many, template="sales_summary"), **MAIL)
def send_sales_summary(event: ReceivedEvent[SalesDayEndedV1]) -> None:
    """Tell whom the settings name (SUMMARY_TO) what was sold on a day."""
    notify(event, "sales_summary")
