"""What analytics do about events, the reports that they build, and what beat has them do."""

from collections.abc import Sequence
from datetime import UTC

from celery import shared_task
from django.conf import settings

from analytics import reports, summaries
from analytics.building import build
from analytics.services import count_orders
from events.declare import effect, outside
from events.handlers import ReceivedEvent
from events.policy import Limits
from eventtypes.orders import OrderData
from eventtypes.reports import ReportRequestedV1


@effect("analytics.track_order", many=True)
def track_order(events: Sequence[ReceivedEvent[OrderData]]) -> None:
    """Count each order on the day of its event. Additions commute, so a late replay spoils nothing."""
    count_orders([(event.data, event.time.astimezone(UTC).date()) for event in events])


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
