"""What inventory does about events, and the check of its books."""

from collections.abc import Sequence

from celery import shared_task

from events.declare import effect
from events.handlers import ReceivedEvent
from events.publishing import publish
from eventtypes.orders import OrderCancelledV1, OrderCreatedV1, OrderFulfilledV1
from eventtypes.stock import StockRejectedV1, StockReservedV1
from inventory import stock
from inventory.selectors import stock_violations


@effect("inventory.reserve_items", many=True)
def reserve_items(events: Sequence[ReceivedEvent[OrderCreatedV1]]) -> None:
    """Reserve the items of each order, all or none, and say which it was."""
    wanted = {event.data.order_id: {line.sku: line.quantity for line in event.data.items} for event in events}
    outcomes = [
        StockRejectedV1(order_id=order_id, shortages=tuple(short)) if short else StockReservedV1(order_id=order_id)
        for order_id, short in stock.reserve(wanted).items()
    ]
    publish(*outcomes, causes={event.data.order_id: event for event in events})


@effect("inventory.release_items", many=True)
def release_items(events: Sequence[ReceivedEvent[OrderCancelledV1]]) -> None:
    """Free what was reserved for the orders."""
    stock.release([event.data.order_id for event in events])


@effect("inventory.ship_items", many=True)
def ship_items(events: Sequence[ReceivedEvent[OrderFulfilledV1]]) -> None:
    """Take the orders' items off the shelf."""
    stock.ship([event.data.order_id for event in events])


class BooksDoNotAgree(Exception):
    """The stock sums are violated: somebody wrote to the tables by hand, or there is a bug."""


@shared_task(name="inventory.check_stock")
def check_stock() -> str:
    """Check that on_hand is the sum of movements, and reserved that of active reservations."""
    violations = stock_violations()
    if violations:
        raise BooksDoNotAgree("; ".join(map(str, violations)))
    return "the books agree"
