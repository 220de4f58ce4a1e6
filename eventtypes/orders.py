"""Events of an order's life. Each carries the whole order as it was placed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from events.types import EventData, Part, register

ORDER_ID, USER_ID = "01a21970-4958-7677-bd56-671df0b4e680", "01a21970-1c11-7d0a-8f2e-0b6c3f0d9a51"
ORDER: dict[str, Any] = {
    "order_id": ORDER_ID,
    "number": "O-1000042",
    "user_id": USER_ID,
    "currency": "EUR",
    "total": "29.40",
    "items": [
        {
            "sku": "TEA-SENCHA-100",
            "name": "Sencha, green tea from Japan, 100 g",
            "quantity": 3,
            "unit_price": "9.80",
            "line_total": "29.40",
        }
    ],
}


class Line(Part):
    """A line of an order as events tell it."""

    sku: str = Field(description="The product's name for machines.")
    name: str = Field(description="The product's name as it was when the order was placed.")
    quantity: int = Field(ge=1, description="Pieces.")
    unit_price: Decimal = Field(description="The price of one piece as it was when the order was placed.")
    line_total: Decimal = Field(description="The price of the line.")


class AboutOrder(EventData):
    """What is about an order, and so keeps its place among all that is."""

    order_id: UUID = Field(description="The order.")

    @property
    def subject(self) -> UUID:
        return self.order_id


class OrderData(AboutOrder):
    """The whole order, as every event of its life carries it."""

    example: ClassVar[Mapping[str, Any]] = ORDER
    status: ClassVar[str]  # which the order has reached with the event
    number: str = Field(description="The order's name for people.")
    user_id: UUID = Field(description="The person. Who they are is asked of the user service: no event tells.")
    currency: str = Field(description="ISO 4217, of all prices of the order.")
    total: Decimal = Field(description="The sum of the lines.")
    items: tuple[Line, ...] = Field(description="The lines of the order.")


@register
class OrderCreatedV1(OrderData):
    """An order was accepted."""

    type = "order.created.v1"
    status = "pending"


@register
class OrderConfirmedV1(OrderData):
    """The order will be delivered."""

    type = "order.confirmed.v1"
    status = "confirmed"


@register
class OrderRejectedV1(OrderData):
    """The order will not be delivered; `reason` says what was short."""

    type = "order.rejected.v1"
    status = "rejected"
    example = ORDER | {"reason": "Out of stock: TEA-SENCHA-100 (3 ordered, 1 available)"}
    reason: str = Field(description="Why.")


@register
class OrderCancelledV1(OrderData):
    """The order was called off by its `customer` or by `staff`."""

    type = "order.cancelled.v1"
    status = "cancelled"
    example = ORDER | {"reason": "customer"}
    reason: Literal["customer", "staff"] = Field(description="Why.")


@register
class OrderFulfilledV1(OrderData):
    """The goods have left."""

    type = "order.fulfilled.v1"
    status = "fulfilled"


REACHED: Mapping[str, type[OrderData]] = {
    kind.status: kind
    for kind in (OrderCreatedV1, OrderConfirmedV1, OrderRejectedV1, OrderCancelledV1, OrderFulfilledV1)
}
"""The event that tells of each status that an order reaches."""
