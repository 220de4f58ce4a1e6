"""Reads of the projections."""

from datetime import date

from django.db.models import QuerySet

from analytics.models import DailySales


def sales_by_day(*, start: date, end: date) -> QuerySet[DailySales]:
    """Return the figures from one day to another, both included, in order."""
    return DailySales.objects.filter(day__gte=start, day__lte=end).order_by("day", "currency", "status")
