"""What orders do about events, and the purge of stored answers."""

from collections.abc import Sequence

from celery import shared_task

from events.declare import effect
from events.handlers import ReceivedEvent
from eventtypes.stock import StockRejectedV1, StockReservedV1
from orders.services import confirm_orders, reject_orders
from rest.idempotency import purge_answers


@effect("orders.confirm", many=True)
def confirm(events: Sequence[ReceivedEvent[StockReservedV1]]) -> None:
    """Confirm the orders whose items are set aside."""
    causes = {event.data.order_id: event for event in events}
    confirm_orders(causes.keys(), causes=causes)


@effect("orders.reject", many=True)
def reject(events: Sequence[ReceivedEvent[StockRejectedV1]]) -> None:
    """Reject the orders, saying what each was short of."""
    reasons = {}
    for event in events:
        short = (f"{one.sku} ({one.requested} ordered, {one.available} available)" for one in event.data.shortages)
        reasons[event.data.order_id] = f"Out of stock: {'; '.join(short)}"
    reject_orders(reasons, causes={event.data.order_id: event for event in events})


@shared_task(name="orders.purge")
def purge() -> dict[str, int]:
    """Delete the answers of idempotency keys whose time is over; return how many."""
    return {"stored answers": purge_answers()}
