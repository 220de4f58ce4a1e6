"""What the orders' endpoint takes and gives."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from benchmarks.plain import tasks
from benchmarks.plain.orders import place
from orders.models import Order, OrderLine

CENTS = {"decimal_places": 2}  # the column takes amounts of any currency; here all are in euros


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderLine
        fields = ["sku", "name", "quantity", "unit_price", "line_total"]
        read_only_fields = ["name", "unit_price", "line_total"]
        extra_kwargs = {
            "quantity": {"min_value": 1, "max_value": 1_000},
            "unit_price": CENTS,
            "line_total": CENTS,
        }


class OrderSerializer(serializers.ModelSerializer):
    items = LineSerializer(source="lines", many=True, allow_empty=False)

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
        read_only_fields = [name for name in fields if name != "items"]
        extra_kwargs = {"total": CENTS}

    def create(self, validated_data: dict[str, Any]) -> Order:
        """Place the order, and have its work begin."""
        then = [task.delay for task in tasks.FIRST] if settings.ENQUEUE else []
        return place(validated_data["user"].pk, validated_data["lines"], *then)
