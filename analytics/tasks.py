"""What analytics do about events, the reports that they build, and what beat has them do."""

from collections.abc import Sequence
from datetime import UTC, date

from celery import shared_task
from django.conf import settings

from analytics import reports, summaries
from analytics.building import build
from analytics.services import STATUS, count_orders
from events.declare import effect, outside
from events.handlers import ReceivedEvent
from events.policy import Limits
from eventtypes.orders import OrderData
from eventtypes.reports import ReportRequestedV1


def track_many(events: Sequence[ReceivedEvent[OrderData]]) -> None:
    """Count the orders of a batch."""
    count_orders([(event.data, STATUS[event.type], _day(event)) for event in events])


@effect("analytics.track_order", many=track_many)
def track_order(event: ReceivedEvent[OrderData]) -> None:
    """Count the order on the day of the event. Additions commute, so a late replay spoils nothing."""
    count_orders([(event.data, STATUS[event.type], _day(event))])


def _day(event: ReceivedEvent[OrderData]) -> date:
    return event.time.astimezone(UTC).date()


@outside(
    reports.BUILD,
    limits=Limits(settings.EVENTS["LEASE"], longest=settings.REPORTS["LONGEST"]),
    max_attempts=5,  # each may take long; what fails so often does not pass by itself
    result=True,
)
def build_report(event: ReceivedEvent[ReportRequestedV1]) -> None:
    """Build the report that was asked for. Run again, it writes another file, and one of them becomes the report's."""
    build(event.data.report_id)


@shared_task(name="analytics.tidy_reports")
def tidy_reports() -> dict[str, int]:
    """Expire old files, fail reports that were given up, remove files that are no report's; return how many."""
    return reports.tidy()


@shared_task(name="analytics.purge")
def purge() -> dict[str, int]:
    """Delete the rows of reports whose file is long gone; return how many."""
    return {"reports": reports.purge_reports(older_than_days=settings.KEEP_RESULTS_DAYS)}


@shared_task(name="analytics.ask_for_summary")
def ask_for_summary() -> list[str]:
    """Have the sales of each day that is over summed up and told, once; return the days."""
    return [str(day) for day in summaries.sum_up()]
