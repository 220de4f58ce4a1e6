"""Events of the stock that an order needs."""

from pydantic import Field

from events.types import Part, register
from eventtypes.orders import ORDER_ID, AboutOrder


class Shortage(Part):
    """What could not be reserved."""

    sku: str = Field(description="The product's name for machines.")
    requested: int = Field(description="Pieces that were ordered.")
    available: int = Field(description="Pieces that there were.")


@register
class StockReservedV1(AboutOrder):
    """All of an order's items are set aside."""

    type = "stock.reserved.v1"
    example = {"order_id": ORDER_ID}


@register
class StockRejectedV1(AboutOrder):
    """Something was short, and nothing is set aside."""

    type = "stock.rejected.v1"
    example = {"order_id": ORDER_ID, "shortages": [{"sku": "TEA-SENCHA-100", "requested": 3, "available": 1}]}
    shortages: tuple[Shortage, ...] = Field(description="What was short.")
