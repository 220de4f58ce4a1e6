"""What the orders' endpoints take and give."""

from typing import Any
from uuid import UUID

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

    sku = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)


class NewOrderSerializer(Strict):
    """An order to place."""

    items: "serializers.ListSerializer[Any]" = serializers.ListSerializer(
        child=ItemSerializer(), allow_empty=False, max_length=MAX_LINES
    )


class LineSerializer(serializers.ModelSerializer[OrderLine]):
    """A line of an order."""

    unit_price = MoneyText(currency="order.currency")
    line_total = MoneyText(currency="order.currency")

    class Meta:
        model = OrderLine
        fields = ["sku", "name", "quantity", "unit_price", "line_total"]


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order."""

    total = MoneyText()
    items = LineSerializer(source="lines", many=True)

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
    """The filters of the order list."""

    number = serializers.RegexField(
        r"\A[Oo]-[0-9]+\Z",
        max_length=20,
        required=False,
        error_messages={"invalid": "Give the whole number of an order, such as O-1042."},
    )
    customer = CustomerField(max_length=254, required=False)
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    created_after = TimeField(required=False)
    created_before = TimeField(required=False)
    ordering = serializers.ChoiceField(choices=["created_at", "-created_at"], default="-created_at")

    def validate_number(self, value: str) -> str:
        """Return the number as orders have it."""
        return value.upper()


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """How far one handler is with an event."""

    status = StatusField(source="state")

    class Meta:
        model = Delivery
        fields = ["handler", "status", "attempts", "handled_at"]


class StaffDeliverySerializer(DeliverySerializer):
    """The same for staff, with what went wrong."""

    last_error = serializers.SerializerMethodField()

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "last_error"]

    def get_last_error(self, delivery: Delivery) -> str:
        """Return the message; "" once the delivery is done."""
        return delivery.last_error[1]


class TimelineEventSerializer(serializers.ModelSerializer[Event]):
    """An event of an order's life."""

    event_id = serializers.UUIDField(source="id")
    deliveries = DeliverySerializer(many=True)

    class Meta:
        model = Event
        fields = ["event_id", "type", "sequence", "time", "deliveries"]


class StaffTimelineEventSerializer(TimelineEventSerializer):
    """The same for staff."""

    deliveries = StaffDeliverySerializer(many=True)
