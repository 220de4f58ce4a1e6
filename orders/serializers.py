"""What the orders' endpoints take and give."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from events.models import Delivery, Event
from events.rest.serializers import StatusField
from orders.models import Order, OrderLine
from orders.states import Status
from rest.rfc3339 import TimeField
from rest.strict import Query, Strict
from values.money import MoneyText

MAX_LINES = 100
MAX_QUANTITY = 1_000


class ItemSerializer(Strict):
    """A line to order."""

    sku = serializers.CharField(max_length=64, help_text="Of a product that is on sale.")
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY, help_text="Pieces.")


class NewOrderSerializer(Strict):
    """An order to place."""

    items: "serializers.ListSerializer[Any]" = serializers.ListSerializer(
        child=ItemSerializer(),
        allow_empty=False,
        max_length=MAX_LINES,
        help_text="The lines; each product in one of them.",
        style={"openapi": {"minItems": 1, "maxItems": MAX_LINES}},
    )


class LineSerializer(serializers.ModelSerializer[OrderLine]):
    """A line of an order."""

    unit_price = MoneyText(
        currency="order.currency", help_text="The price of one piece as it was when the order was placed."
    )
    line_total = MoneyText(currency="order.currency", help_text="The price of the line.")

    class Meta:
        model = OrderLine
        fields = ["sku", "name", "quantity", "unit_price", "line_total"]
        extra_kwargs = {
            "name": {"help_text": "The product's name as it was when the order was placed."},
            "quantity": {"help_text": "Pieces."},
        }


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order."""

    total = MoneyText(help_text="The sum of the lines.")
    items = LineSerializer(source="lines_to_represent", many=True)

    class Meta:
        model = Order
        fields = [
            "id",
            "number",
            "status",
            "currency",
            "total",
            "items",
            "rejection_reason",
            "created_at",
            "updated_at",
        ]
        extra_kwargs = {
            "number": {"help_text": "The order's name for people."},
            "status": {"help_text": "Where the order stands. `rejected`, `cancelled` and `fulfilled` are final."},
            "currency": {"help_text": "ISO 4217, of all prices of the order."},
            "rejection_reason": {"help_text": "What was short, where the order is rejected; else empty."},
            "updated_at": {"help_text": "When its status last changed."},
        }


class CustomerField(serializers.CharField):
    """A customer, by the id or by the e-mail address."""

    def to_internal_value(self, data: Any) -> str:
        """Return the id, or the address in lower case. Raises ValidationError where it is neither."""
        text = super().to_internal_value(data).lower()
        if "@" in text:
            return text
        try:
            return str(UUID(text))
        except ValueError as error:
            raise serializers.ValidationError("Give the customer's id or e-mail address.") from error


class OrderQuerySerializer(Query):
    number = serializers.RegexField(
        r"\A[Oo]-[0-9]+\Z",
        max_length=20,
        required=False,
        error_messages={"invalid": "Give the whole number of an order, such as O-1042."},
        help_text="Only the order with this number.",
    )
    customer = CustomerField(
        max_length=254,
        required=False,
        help_text="Only orders of this customer: an id or an e-mail address. For staff only; others get 400.",
    )
    status = serializers.ChoiceField(
        choices=Status.choices, required=False, help_text="Only orders that stand there now."
    )
    created_after = TimeField(required=False, help_text="Only orders placed then or later.")
    created_before = TimeField(required=False, help_text="Only orders placed before then.")
    ordering = serializers.ChoiceField(
        choices=["created_at", "-created_at"],
        default="-created_at",
        help_text="By what the list is sorted; with `-`, newest first.",
    )

    def validate_number(self, value: str) -> str:
        """Return the number as orders have it."""
        return value.upper()


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """How far one handler is with an event."""

    status = StatusField(source="state", help_text="`dead`: it keeps failing, and waits for a person.")

    class Meta:
        model = Delivery
        fields = ["handler", "status", "attempts", "handled_at"]
        extra_kwargs = {
            "handler": {"help_text": "Who handles the event."},
            "attempts": {"help_text": "Attempts that were made."},
            "handled_at": {"help_text": "When it was done, or given up; null until then."},
        }


@extend_schema_serializer(component_name="Delivery")
class StaffDeliverySerializer(DeliverySerializer):
    """The same for staff, with what went wrong."""

    last_error = serializers.SerializerMethodField(
        help_text="What went wrong last; empty once it is done. Only for staff who may see everybody's orders."
    )
    optional = ("last_error",)

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "last_error"]

    def get_last_error(self, delivery: Delivery) -> str:
        return delivery.last_error[1]


class TimelineEventSerializer(serializers.ModelSerializer[Event]):
    """An event of an order's life."""

    event_id = serializers.UUIDField(source="id")
    deliveries = DeliverySerializer(many=True)

    class Meta:
        model = Event
        fields = ["event_id", "type", "sequence", "time", "deliveries"]
        extra_kwargs = {
            "type": {"help_text": "What happened, with the version of the event's type."},
            "sequence": {"help_text": "The event's place in the order's life, from 1."},
        }


@extend_schema_serializer(component_name="TimelineEvent")
class StaffTimelineEventSerializer(TimelineEventSerializer):
    """The same for staff."""

    deliveries = StaffDeliverySerializer(many=True, help_text="Who is told, and how far that is.")
