"""What the analytics and report endpoints take and give."""

from datetime import timedelta
from typing import Any

from rest_framework import serializers

from analytics.models import Report
from analytics.selectors import GROUPS, INTERVALS, STATUSES
from analytics.sources import sources
from rest.rfc3339 import DayField
from rest.strict import Query, Strict
from values.csv_text import FORMATS
from values.money import MoneyText

LONGEST = timedelta(days=366)  # both ends included


class PeriodSerializer(serializers.Serializer[Any]):
    """A period; `from` and `to` are both included."""

    to = DayField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which Python keeps for itself."""
        return {"from": DayField(), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a period that ends before it begins, or is longer than a year."""
        if attrs["to"] < attrs["from"]:
            raise serializers.ValidationError({"to": ["The period ends before it begins."]})
        if attrs["to"] - attrs["from"] >= LONGEST:
            raise serializers.ValidationError({"to": [f"Ask for at most {LONGEST.days} days at once."]})
        return attrs


class SalesQuerySerializer(Query, PeriodSerializer):
    """The period of a sales query, and how its figures are summed and chosen."""

    interval = serializers.ChoiceField(choices=INTERVALS, default="day")
    group = serializers.ChoiceField(choices=GROUPS, default="status")
    status = serializers.ChoiceField(choices=STATUSES, required=False)
    sku = serializers.CharField(max_length=64, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a sku where the figures are not those of products."""
        if "sku" in attrs and attrs["group"] != "product":
            raise serializers.ValidationError({"sku": ["Only with group=product: other figures are of whole orders."]})
        return super().validate(attrs)


class DailySalesSerializer(serializers.Serializer[Any]):
    """The orders that reached a status on a day, or in the interval that begins on it; those with a product, too."""

    day = serializers.DateField(source="first_day")
    status = serializers.CharField()
    currency = serializers.CharField()
    orders = serializers.IntegerField(source="order_count")
    amount = MoneyText(source="total")


class ProductSalesSerializer(DailySalesSerializer):
    """The same of a product: orders with it, and what its lines in them come to."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField(source="pieces")


class NewReportSerializer(Strict, PeriodSerializer):
    """A report to make."""

    format = serializers.ChoiceField(choices=FORMATS, default="csv")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add the kinds that the deployment has sources for."""
        return {"kind": serializers.ChoiceField(choices=list(sources())), **super().get_fields()}


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report, and how far it is. `download_url` is null until it is ready, and again when its file is gone."""

    to = serializers.DateField(source="end")
    download_url = serializers.SerializerMethodField()

    class Meta:
        model = Report
        fields = [
            "id",
            "kind",
            "to",
            "format",
            "status",
            "progress",
            "error",
            "as_of",
            "rows",
            "size",
            "download_url",
            "created_at",
            "finished_at",
            "expires_at",
        ]

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which Python keeps for itself."""
        return {"from": serializers.DateField(source="start"), **super().get_fields()}

    def get_download_url(self, report: Report) -> str | None:
        """Return where the file is, while there is one."""
        return f"/api/v1/reports/{report.id}/download" if report.file else None
