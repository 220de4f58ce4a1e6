"""What takes the place of a step that is given up, where the books need it. Named in subscriptions.py."""

from typing import Any

from events.handlers import ReceivedEvent
from inventory import stock
from orders.services import reject_order

REASON = "We could not process this order."


def reject(event: ReceivedEvent[Any]) -> None:
    """Reject the order, which will never be confirmed."""
    reject_order(event.data.order_id, reason=REASON)


def release(event: ReceivedEvent[Any]) -> None:
    """Free what is reserved for the order, which nobody else would."""
    stock.release(event.data.order_id)


def reject_and_release(event: ReceivedEvent[Any]) -> None:
    """Free what is reserved for the order, and reject it. In this order: stock rows are locked before counters."""
    release(event)
    reject(event)
