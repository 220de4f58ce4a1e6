"""Reads of the projections, and of reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import DateField, F, Model, QuerySet, Sum
from django.db.models.functions import Trunc

from analytics.models import DailyProductSales, DailySales, Report
from users.models import User

INTERVALS = ("day", "week", "month")
GROUPS = ("status", "product")
STATUSES = ("pending", "confirmed", "rejected", "cancelled", "fulfilled")


@dataclass(frozen=True)
class SalesQuery:
    """Which figures: from one day to another, both included, summed by interval, and by status or by product too."""

    start: date
    end: date
    interval: str = "day"
    group: str = "status"
    status: str | None = None
    sku: str | None = None
    currency: str | None = None


def sales(query: SalesQuery) -> QuerySet[Any, dict[str, Any]]:
    """Return the figures in order, as mappings: first_day, status, currency, of products sku; and the sums.

    Weeks begin on Monday. An interval that the period cuts has the figures of its days within the period.
    """
    table: type[Model] = DailySales
    keys = ["first_day", "currency", "status"]
    sums = {"order_count": Sum("orders"), "total": Sum("amount")}
    if query.group == "product":
        table = DailyProductSales
        keys = ["first_day", "sku", "currency", "status"]
        sums["pieces"] = Sum("quantity")
    first_day = F("day") if query.interval == "day" else Trunc("day", query.interval, output_field=DateField())
    wanted = {"status": query.status, "sku": query.sku, "currency": query.currency}
    figures: QuerySet[Any, dict[str, Any]] = (
        table._default_manager.filter(day__gte=query.start, day__lte=query.end)
        .filter(**{name: value for name, value in wanted.items() if value is not None})
        .annotate(first_day=first_day)
        .values(*keys)
        .annotate(**sums)
        .order_by(*keys)
    )
    return figures


def top_products(query: SalesQuery, *, status: str, by: str, most: int) -> QuerySet[Any, dict[str, Any]]:
    """Return sku, pieces and total of the products with most of `by` in orders that reached a status in the period.

    `by` is `pieces`, or `total`: of one currency then.
    """
    rows: QuerySet[Any] = DailyProductSales.objects.filter(day__gte=query.start, day__lte=query.end, status=status)
    if query.currency is not None:
        rows = rows.filter(currency=query.currency)
    sums: QuerySet[Any, dict[str, Any]] = rows.values("sku").annotate(pieces=Sum("quantity"), total=Sum("amount"))
    return sums.order_by(f"-{by}", "sku")[:most]


def currencies(start: date, end: date) -> Sequence[str]:
    """Return the currencies that there are figures of, in this period: the one of most orders first."""
    rows = DailySales.objects.filter(day__gte=start, day__lte=end).values("currency")
    ordered = rows.annotate(order_count=Sum("orders")).order_by("-order_count", "currency")
    return [str(row["currency"]) for row in ordered]


def reports_of(user: User) -> QuerySet[Report]:
    """Return the reports that this person requested, newest first, whether or not they may still read them."""
    return Report.objects.filter(user=user).order_by("-id")


def unfinished() -> QuerySet[Report]:
    """Return the reports that wait or are being built."""
    return Report.objects.filter(status__in=[Report.Status.PENDING, Report.Status.RUNNING])
