"""What the analytics endpoints take and give."""

from datetime import timedelta
from typing import Any

from rest_framework import serializers

from events.strict import Query

LONGEST = timedelta(days=366)  # both ends included


class SalesQuerySerializer(Query):
    """The period and interval of a sales query; `from` and `to` are both included."""

    to = serializers.DateField()
    interval = serializers.ChoiceField(choices=["day"], default="day")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which Python keeps for itself."""
        return {"from": serializers.DateField(), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a period that ends before it begins, or is longer than a year."""
        if attrs["to"] < attrs["from"]:
            raise serializers.ValidationError({"to": ["The period ends before it begins."]})
        if attrs["to"] - attrs["from"] >= LONGEST:
            raise serializers.ValidationError({"to": [f"Ask for at most {LONGEST.days} days at once."]})
        return attrs


class DailySalesSerializer(serializers.Serializer[Any]):
    """The orders that reached a status on a day."""

    day = serializers.DateField()
    status = serializers.CharField()
    currency = serializers.CharField()
    orders = serializers.IntegerField()
    amount = serializers.DecimalField(max_digits=20, decimal_places=2)
