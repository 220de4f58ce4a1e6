"""Sums up the sales of each day that is over, and publishes that: once a day, however often and late it is tried."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

from django.conf import settings
from django.db import transaction

from analytics.days import DAY, midnight
from analytics.models import DaySummary
from analytics.selectors import SalesQuery, sales
from analytics.services import TRACK
from events.commit_horizon import longest_transaction, now
from events.publishing import publish
from events.sql import fetch
from eventtypes.sales import DayFigure, SalesDayEndedV1, TopProduct
from values.money import in_currency

MOST_DAYS = 7  # after a long outage: older days are no news
TOP = 10  # products


def sum_up() -> Sequence[date]:
    """Publish sales.day_ended for the last days that had none and are in the figures; return them, the oldest first.

    Nothing where nobody is to be told (SUMMARY_TO).
    """
    if not settings.SUMMARY_TO:
        return []
    return [day for day in takewhile(_is_counted, _days_to_tell(now())) if _publish_once(day)]


def _days_to_tell(moment: datetime) -> Sequence[date]:
    """Return the days since the last that was told which are over: no transaction can write of them any more."""
    settled = timedelta(seconds=longest_transaction() + 5)  # after midnight one may still write of the day before
    yesterday = (moment - settled).astimezone(UTC).date() - DAY
    last = DaySummary.objects.order_by("-day").values_list("day", flat=True).first()
    first = max(last + DAY, yesterday - (MOST_DAYS - 1) * DAY) if last else yesterday
    return [first + number * DAY for number in range((yesterday - first).days + 1)]


def _is_counted(day: date) -> bool:
    """Tell whether all that happened until the end of the day is in the figures; dead letters are not waited for."""
    return not fetch(_UNCOUNTED, {"handler": TRACK, "until": midnight(day + DAY)})


@transaction.atomic
def _publish_once(day: date) -> bool:
    """Publish the day's event with the row that says so; False where that was done."""
    summary = DaySummary(day=day)
    if not fetch(_INSERT, {"id": summary.id, "day": day}):
        return False
    publish(SalesDayEndedV1(summary_id=summary.id, day=day, figures=_figures(day), products=_products(day)))
    return True


def _figures(day: date) -> tuple[DayFigure, ...]:
    return tuple(
        DayFigure(
            status=row["status"],
            currency=row["currency"],
            orders=row["order_count"],
            amount=in_currency(row["total"], row["currency"]),
        )
        for row in sales(SalesQuery(start=day, end=day))
    )


def _products(day: date) -> tuple[TopProduct, ...]:
    """Return the products of which most pieces were ordered: sums of several currencies cannot be compared."""
    ordered = sales(SalesQuery(start=day, end=day, group="product", status="pending"))
    return tuple(
        TopProduct(
            sku=row["sku"],
            currency=row["currency"],
            quantity=row["pieces"],
            amount=in_currency(row["total"], row["currency"]),
        )
        for row in ordered.order_by("-pieces", "sku", "currency")[:TOP]
    )


# Two beats at once: the second waits for the first to commit, and finds the row.
_INSERT = """
INSERT INTO analytics_daysummary (id, day, created_at) VALUES (%(id)s, %(day)s, now())
ON CONFLICT (day) DO NOTHING RETURNING id
"""

# By what is undone of all handlers, which is little unless there is a backlog.
_UNCOUNTED = """
SELECT 1 FROM events_delivery d JOIN events_event e ON e.id = d.event_id
WHERE d.handled_at IS NULL AND d.handler = %(handler)s AND e.time < %(until)s LIMIT 1
"""
