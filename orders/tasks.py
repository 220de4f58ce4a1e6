"""What orders do about events, and the purge of stored answers."""

from collections.abc import Sequence

from celery import shared_task

from events.declare import effect
from events.handlers import ReceivedEvent
from eventtypes.stock import Shortage, StockRejectedV1, StockReservedV1
from orders.services import confirm_order, confirm_orders, reject_order
from rest.idempotency import purge_answers


def confirm_many(events: Sequence[ReceivedEvent[StockReservedV1]]) -> None:
    """Confirm the orders of a batch."""
    confirm_orders({event.data.order_id: event for event in events})


@effect("orders.confirm", many=confirm_many)
def confirm(event: ReceivedEvent[StockReservedV1]) -> None:
    """Confirm the order whose items are set aside."""
    confirm_order(event.data.order_id)


@effect("orders.reject")
def reject(event: ReceivedEvent[StockRejectedV1]) -> None:
    """Reject the order, saying what was short."""
    reason = "; ".join(_in_words(shortage) for shortage in event.data.shortages)
    reject_order(event.data.order_id, reason=f"Out of stock: {reason}")


def _in_words(shortage: Shortage) -> str:
    return f"{shortage.sku} ({shortage.requested} ordered, {shortage.available} available)"


@shared_task(name="orders.purge")
def purge() -> dict[str, int]:
    """Delete the answers of idempotency keys whose time is over; return how many."""
    return {"stored answers": purge_answers()}
