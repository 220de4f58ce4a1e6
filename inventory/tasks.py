"""What inventory does about events, and the check of its books."""

from collections.abc import Sequence
from uuid import UUID

from celery import shared_task

from events.declare import effect
from events.handlers import ReceivedEvent
from events.publishing import publish
from eventtypes.orders import OrderCancelledV1, OrderCreatedV1, OrderFulfilledV1
from eventtypes.stock import Shortage as ShortageData
from eventtypes.stock import StockRejectedV1, StockReservedV1
from inventory import stock
from inventory.selectors import stock_violations


def reserve_many(events: Sequence[ReceivedEvent[OrderCreatedV1]]) -> None:
    """Reserve the items of a batch's orders."""
    shortages = stock.reserve_many({event.data.order_id: _wanted(event) for event in events})
    outcomes = [_outcome(order_id, short) for order_id, short in shortages.items()]
    publish(*outcomes, causes={event.data.order_id: event for event in events})


@effect("inventory.reserve_items", many=reserve_many)
def reserve_items(event: ReceivedEvent[OrderCreatedV1]) -> None:
    """Reserve the order's items, all or none, and say which it was."""
    order_id = event.data.order_id
    try:
        stock.reserve(order_id, _wanted(event))
    except stock.OutOfStock as error:
        publish(_outcome(order_id, error.shortages))
    else:
        publish(_outcome(order_id, ()))


def _wanted(event: ReceivedEvent[OrderCreatedV1]) -> dict[str, int]:
    return {line.sku: line.quantity for line in event.data.items}


def _outcome(order_id: UUID, shortages: Sequence[stock.Short]) -> StockReservedV1 | StockRejectedV1:
    if not shortages:
        return StockReservedV1(order_id=order_id)
    data = tuple(ShortageData(sku=s.sku, requested=s.requested, available=s.available) for s in shortages)
    return StockRejectedV1(order_id=order_id, shortages=data)


@effect("inventory.release_items")
def release_items(event: ReceivedEvent[OrderCancelledV1]) -> None:
    """Free what was reserved for the order."""
    stock.release(event.data.order_id)


@effect("inventory.ship_items")
def ship_items(event: ReceivedEvent[OrderFulfilledV1]) -> None:
    """Take the order's items off the shelf."""
    stock.ship(event.data.order_id)


class BooksDoNotAgree(Exception):
    """The stock sums are violated: somebody wrote to the tables by hand, or there is a bug."""


@shared_task(name="inventory.check_stock")
def check_stock() -> str:
    """Check that on_hand is the sum of movements, and reserved that of active reservations."""
    violations = stock_violations()
    if violations:
        raise BooksDoNotAgree("; ".join(map(str, violations)))
    return "the books agree"
