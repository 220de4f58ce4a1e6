"""Every event type: its name, its version and its data. A published type never changes; a break is a new version.

No secret and no e-mail address stands in an event: handlers look such things up.
"""

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from events.errors import EventsError


class UnknownType(EventsError):
    """This code has no event type of that name and version."""


class EventData(BaseModel, ABC):
    """The base of all event types: frozen. A field that this code does not know yet is ignored, as readers should."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]

    @property
    @abstractmethod
    def subject(self) -> UUID:
        """Return the id of what the event is about; events of one subject keep their order."""


class Line(BaseModel):
    """A line of an order as events tell it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    name: str
    quantity: int = Field(ge=1)
    unit_price: Decimal
    line_total: Decimal


class Shortage(BaseModel):
    """What could not be reserved."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    requested: int
    available: int


class _AboutOrder(EventData):
    order_id: UUID

    @property
    def subject(self) -> UUID:
        return self.order_id


class OrderData(_AboutOrder):
    """The whole order, as every event of its life carries it."""

    number: str
    user_id: UUID
    currency: str
    total: Decimal
    items: tuple[Line, ...]


class UserCreatedV1(EventData):
    """Somebody registered."""

    type = "user.created.v1"
    user_id: UUID

    @property
    def subject(self) -> UUID:
        return self.user_id


class OrderCreatedV1(OrderData):
    """An order was accepted."""

    type = "order.created.v1"


class StockReservedV1(_AboutOrder):
    """All of an order's items are set aside."""

    type = "stock.reserved.v1"


class StockRejectedV1(_AboutOrder):
    """Something was short, and nothing is set aside."""

    type = "stock.rejected.v1"
    shortages: tuple[Shortage, ...]


class OrderConfirmedV1(OrderData):
    """The order will be delivered."""

    type = "order.confirmed.v1"


class OrderRejectedV1(OrderData):
    """The order will not be delivered; `reason` says what was short."""

    type = "order.rejected.v1"
    reason: str


class OrderCancelledV1(OrderData):
    """The order was called off by its `customer` or by `staff`."""

    type = "order.cancelled.v1"
    reason: Literal["customer", "staff"]


class OrderFulfilledV1(OrderData):
    """The goods have left."""

    type = "order.fulfilled.v1"


_TYPES: dict[str, type[EventData]] = {
    kind.type: kind
    for kind in (
        UserCreatedV1,
        OrderCreatedV1,
        StockReservedV1,
        StockRejectedV1,
        OrderConfirmedV1,
        OrderRejectedV1,
        OrderCancelledV1,
        OrderFulfilledV1,
    )
}


def event_type(name: str) -> type[EventData]:
    """Return the event type of this name, or raise UnknownType."""
    try:
        return _TYPES[name]
    except KeyError:
        raise UnknownType(f"this code knows no event type {name!r}") from None
