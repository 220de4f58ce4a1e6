"""What the analytics and report endpoints take and give."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from analytics.models import Report
from analytics.selectors import GROUPS, INTERVALS, STATUSES
from analytics.sources import sources
from rest.rfc3339 import DayField
from rest.strict import Query, Strict
from values.csv_text import FORMATS
from values.money import MoneyText

LONGEST = timedelta(days=366)  # both ends included
_FIRST, _LAST = "The first day, in UTC.", "The last day, in UTC."


class PeriodSerializer(serializers.Serializer[Any]):
    """A period; `from` and `to` are both included."""

    to = DayField(help_text=_LAST)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which Python keeps for itself."""
        return {"from": DayField(help_text=_FIRST), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a period that ends before it begins, or is longer than a year."""
        if attrs["to"] < attrs["from"]:
            raise serializers.ValidationError({"to": ["The period ends before it begins."]})
        if attrs["to"] - attrs["from"] >= LONGEST:
            raise serializers.ValidationError({"to": [f"Ask for at most {LONGEST.days} days at once."]})
        return attrs


class SalesQuerySerializer(Query, PeriodSerializer):
    """The period of a sales query, and how its figures are summed and chosen."""

    interval = serializers.ChoiceField(
        choices=INTERVALS, default="day", help_text="What a figure covers. Weeks begin on Monday."
    )
    group = serializers.ChoiceField(
        choices=GROUPS, default="status", help_text="`product`: figures of each product instead of all orders."
    )
    status = serializers.ChoiceField(choices=STATUSES, required=False, help_text="Only figures of this status.")
    sku = serializers.CharField(
        max_length=64, required=False, help_text="Only figures of this product; with `group=product`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a sku where the figures are not those of products."""
        if "sku" in attrs and attrs["group"] != "product":
            raise serializers.ValidationError({"sku": ["Only with group=product: other figures are of whole orders."]})
        return super().validate(attrs)


class DailySalesSerializer(serializers.Serializer[Any]):
    """The orders that reached a status on a day, or in the interval that begins on it; those with a product, too."""

    day = serializers.DateField(source="first_day", help_text="In UTC; of a week or a month, the first.")
    status = serializers.CharField(help_text="The status that the orders reached on that day.")
    currency = serializers.CharField(help_text="ISO 4217.")
    orders = serializers.IntegerField(source="order_count", help_text="How many; of a product, those with it.")
    amount = MoneyText(source="total", help_text="What they come to; of a product, its lines.")


@extend_schema_serializer(component_name="DailySales")
class ProductSalesSerializer(DailySalesSerializer):
    """The same of a product: orders with it, and what its lines in them come to."""

    sku = serializers.CharField(help_text="The product; with `group=product` only.")
    quantity = serializers.IntegerField(source="pieces", help_text="Pieces of it; with `group=product` only.")
    optional = ("sku", "quantity")


class NewReportSerializer(Strict, PeriodSerializer):
    """A report to make."""

    format = serializers.ChoiceField(choices=FORMATS, default="csv")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add the kinds that the deployment has sources for."""
        kind = serializers.ChoiceField(choices=list(sources()), help_text="What it tells of.")
        return {"kind": kind, **super().get_fields()}


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report, and how far it is. `download_url` is null until it is ready, and again when its file is gone."""

    to = serializers.DateField(source="end", help_text=_LAST)
    download_url = serializers.SerializerMethodField(help_text="Where the file is; null while there is none.")

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
        extra_kwargs = {
            "status": {
                "help_text": "`ready`: it can be downloaded. All but `pending` and `running` are final, unless"
                " operators have a failed one built again."
            },
            "progress": {"help_text": "In percent."},
            "error": {"help_text": "Why it failed; else empty."},
            "as_of": {"help_text": "All that it tells is as it was at this moment; null until it is begun."},
            "rows": {"help_text": "Lines of the file, without its header; null until it is ready."},
            "size": {"help_text": "Bytes of the file; null until it is ready."},
            "finished_at": {"help_text": "When it was ready, or came to another end; null until then."},
            "expires_at": {"help_text": "When its file is removed; null until it is ready."},
        }

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which Python keeps for itself."""
        return {"from": serializers.DateField(source="start", help_text=_FIRST), **super().get_fields()}

    def get_download_url(self, report: Report) -> str | None:
        return f"/api/v1/reports/{report.id}/download" if report.file else None
