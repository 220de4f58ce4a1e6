"""What analytics do about events."""

from datetime import UTC

from analytics.services import count_order
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


@effect("analytics.track_order")
def track_order(event: ReceivedEvent[OrderData]) -> None:
    """Count the order on the day of the event. Additions commute, so a late replay spoils nothing."""
    count_order(event.data, status=STATUS[event.type], day=event.time.astimezone(UTC).date())
