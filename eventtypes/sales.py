"""Events of the sales of a day."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from events.types import EventData, Part, register


class DayFigure(Part):
    """How many orders reached a status on a day, and what they come to."""

    status: str = Field(description="What the orders reached.")
    currency: str = Field(description="ISO 4217.")
    orders: int = Field(description="How many.")
    amount: Decimal = Field(description="What they come to.")


class TopProduct(Part):
    """A product of which many pieces were in orders that were placed on a day."""

    sku: str = Field(description="The product's name for machines.")
    currency: str = Field(description="ISO 4217.")
    quantity: int = Field(description="Pieces.")
    amount: Decimal = Field(description="What they come to.")


@register
class SalesDayEndedV1(EventData):
    """A day (UTC) is over, and all that happened on it is in the figures."""

    type = "sales.day_ended.v1"
    example = {
        "summary_id": "01a21972-7b05-7e90-8a44-3c2d9f10b6d8",
        "day": "2026-11-25",
        "figures": [{"status": "pending", "currency": "EUR", "orders": 2, "amount": "58.80"}],
        "products": [{"sku": "TEA-SENCHA-100", "currency": "EUR", "quantity": 6, "amount": "58.80"}],
    }
    summary_id: UUID = Field(description="The summary of that day: it tells one apart that is told of twice.")
    day: date = Field(description="In UTC.")
    figures: tuple[DayFigure, ...] = Field(description="How many orders reached each status on that day.")
    products: tuple[TopProduct, ...] = Field(description="The products of which most was ordered on that day.")

    @property
    def subject(self) -> UUID:
        return self.summary_id
