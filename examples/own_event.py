"""An event of one's own: its type, who publishes it, and who handles it. The map is in subscriptions.py."""

from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from events.declare import effect
from events.errors import PermanentError
from events.handlers import ReceivedEvent
from events.publishing import publish
from events.types import EventData, register
from inventory import stock
from inventory.models import Product


@register
class GoodsArrivedV1(EventData):
    """A supplier's goods are at the door. A published type never changes; a break is a V2 beside it."""

    type = "goods.arrived.v1"
    arrival_id: UUID
    sku: str
    quantity: int

    @property
    def subject(self) -> UUID:
        """Return the arrival's id."""
        return self.arrival_id


@transaction.atomic
def receive(sku: str, quantity: int) -> UUID:
    """Note that goods have arrived, in the transaction of what else is written about it; return the arrival's id."""
    arrival_id = uuid7()
    publish(GoodsArrivedV1(arrival_id=arrival_id, sku=sku, quantity=quantity))
    return arrival_id


@effect("receiving.put_on_shelf")
def put_on_shelf(event: ReceivedEvent[GoodsArrivedV1]) -> None:
    """Add what arrived to what is on hand: exactly once, since this transaction marks the delivery done too."""
    arrived = event.data
    product = Product.objects.filter(sku=arrived.sku).first()
    if product is None:
        raise PermanentError(f"there is no product {arrived.sku}: add it, then replay")  # a dead letter
    stock.adjust(product, quantity=arrived.quantity, reason=f"arrival {arrived.arrival_id}")
