"""What analytics do about events."""

from collections.abc import Sequence
from datetime import UTC, date

from analytics.services import count_orders
from events.catalogue import OrderData
from events.declare import effect
from events.handlers import ReceivedEvent

# The status that an order has reached with each event.
STATUS = {
    "order.created.v1": "pending",
    "order.confirmed.v1": "confirmed",
    "order.rejected.v1": "rejected",
    "order.cancelled.v1": "cancelled",
    "order.fulfilled.v1": "fulfilled",
}


def track_many(events: Sequence[ReceivedEvent[OrderData]]) -> None:
    """Count the orders of a batch."""
    count_orders([(event.data, STATUS[event.type], _day(event)) for event in events])


@effect("analytics.track_order", many=track_many)
def track_order(event: ReceivedEvent[OrderData]) -> None:
    """Count the order on the day of the event. Additions commute, so a late replay spoils nothing."""
    count_orders([(event.data, STATUS[event.type], _day(event))])


def _day(event: ReceivedEvent[OrderData]) -> date:
    return event.time.astimezone(UTC).date()
