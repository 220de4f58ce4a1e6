"""Event types, for tests alone, in which order.created has got a second version; and the map of that release."""

from decimal import Decimal
from uuid import UUID

from events.handlers import ReceivedEvent
from events.subscriptions import Consumer
from events.tests.helpers import handler
from events.types import EventData, register
from eventtypes.orders import OrderCreatedV1


@register
class OrderCreatedV2(EventData):
    """An order was accepted. The person is the `buyer` now, and there are no lines: who needs them asks."""

    type = "order.created.v2"
    order_id: UUID
    buyer: UUID
    total: Decimal
    currency: str

    @property
    def subject(self) -> UUID:
        return self.order_id


def as_v2(data: OrderCreatedV1 | OrderCreatedV2) -> OrderCreatedV2:
    """Read a version 1 as what it would have been as a version 2."""
    if isinstance(data, OrderCreatedV2):
        return data
    return OrderCreatedV2(order_id=data.order_id, buyer=data.user_id, total=data.total, currency=data.currency)


seen: list[tuple[str, OrderCreatedV2]] = []


def note(event: ReceivedEvent[OrderCreatedV1 | OrderCreatedV2]) -> None:
    seen.append((event.type, as_v2(event.data)))


RESERVE = handler(note, "inventory.reserve_items")
ADDED = handler(note, "analytics.added")

SUBSCRIPTIONS = {OrderCreatedV1: [RESERVE, ADDED], OrderCreatedV2: [RESERVE, ADDED]}
CONSUMERS = {
    "inventory": Consumer(dead_holds=True),
    "notifications": Consumer(dead_holds=False),
    "analytics": Consumer(dead_holds=False),
}
COMPENSATIONS: dict[object, object] = {}
