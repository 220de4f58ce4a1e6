"""Every event type: its name, its version and its data. A published type never changes; a break is a new version.

No secret and no e-mail address stands in an event: handlers look such things up.
"""

from abc import ABC, abstractmethod
from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from events.errors import EventsError


class UnknownType(EventsError):
    """This code has no event type of that name and version."""


class TypeTaken(EventsError):
    """Two event types of one name and version: what was published as the one would be read as the other."""


class EventData(BaseModel, ABC):
    """The base of all event types: frozen. A field that this code does not know yet is ignored, as readers should."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]

    @property
    @abstractmethod
    def subject(self) -> UUID:
        """Return the id of what the event is about; events of one subject keep their order."""


_TYPES: dict[str, type[EventData]] = {}
T = TypeVar("T", bound=EventData)


def register(kind: type[T]) -> type[T]:
    """Make an event type known under its name, wherever its class stands. Raises TypeTaken."""
    if kind.type in _TYPES:
        raise TypeTaken(f"{kind.type} is {_TYPES[kind.type]}, so it cannot be {kind}")
    _TYPES[kind.type] = kind
    return kind


def event_type(name: str) -> type[EventData]:
    """Return the event type of this name, or raise UnknownType."""
    try:
        return _TYPES[name]
    except KeyError:
        raise UnknownType(f"this code knows no event type {name!r}") from None


def registered() -> set[str]:
    """Return the names of all event types that this code knows."""
    return set(_TYPES)


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


@register
class UserCreatedV1(EventData):
    """Somebody registered."""

    type = "user.created.v1"
    user_id: UUID

    @property
    def subject(self) -> UUID:
        return self.user_id


@register
class OrderCreatedV1(OrderData):
    """An order was accepted."""

    type = "order.created.v1"


@register
class StockReservedV1(_AboutOrder):
    """All of an order's items are set aside."""

    type = "stock.reserved.v1"


@register
class StockRejectedV1(_AboutOrder):
    """Something was short, and nothing is set aside."""

    type = "stock.rejected.v1"
    shortages: tuple[Shortage, ...]


@register
class OrderConfirmedV1(OrderData):
    """The order will be delivered."""

    type = "order.confirmed.v1"


@register
class OrderRejectedV1(OrderData):
    """The order will not be delivered; `reason` says what was short."""

    type = "order.rejected.v1"
    reason: str


@register
class OrderCancelledV1(OrderData):
    """The order was called off by its `customer` or by `staff`."""

    type = "order.cancelled.v1"
    reason: Literal["customer", "staff"]


@register
class OrderFulfilledV1(OrderData):
    """The goods have left."""

    type = "order.fulfilled.v1"


@register
class ReportRequestedV1(EventData):
    """Somebody wants a report; what kind of one, of which days, stands in its row."""

    type = "report.requested.v1"
    report_id: UUID

    @property
    def subject(self) -> UUID:
        return self.report_id


class DayFigure(BaseModel):
    """How many orders reached a status on a day, and what they come to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: str
    currency: str
    orders: int
    amount: Decimal


class TopProduct(BaseModel):
    """A product of which many pieces were in orders that were placed on a day."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    currency: str
    quantity: int
    amount: Decimal


@register
class SalesDayEndedV1(EventData):
    """A day (UTC) is over, and all that happened on it is in the figures."""

    type = "sales.day_ended.v1"
    summary_id: UUID
    day: date
    figures: tuple[DayFigure, ...]
    products: tuple[TopProduct, ...]

    @property
    def subject(self) -> UUID:
        return self.summary_id
