"""Reads of the projections."""

from datetime import date
from typing import Any

from django.db.models import QuerySet

from analytics.models import DailySales


def sales_by_day(*, start: date, end: date) -> QuerySet[DailySales, dict[str, Any]]:
    """Return the figures from one day to another, both included, in order."""
    return (
        DailySales.objects.filter(day__gte=start, day__lte=end)
        .order_by("day", "currency", "status")
        .values("day", "currency", "status", "orders", "amount")
    )
