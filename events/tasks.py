"""Maintenance of the bus: plain Celery tasks, started by beat, harmless to lose."""

from datetime import timedelta

from celery import shared_task
from django.db.models import Q
from django.db.models.functions import Now

from events.conf import setting
from events.models import Tally, UnusableMessage
from events.purge import purge_events, purge_final, purge_rows

MINUTES_DAYS, HOURS_DAYS = 2, 90  # days that the tallies of a minute, and of an hour, are kept


@shared_task(name="events.purge")
def purge() -> dict[str, int]:
    """Delete what the bus has kept for long enough; return how many of each (docs/retention.md)."""
    unusable = UnusableMessage.objects.filter(received_at__lt=Now() - timedelta(days=setting("KEEP_UNUSABLE_DAYS")))
    return {
        "deliveries": purge_final(older_than_days=setting("KEEP_DONE_DAYS")),
        "events": purge_events(older_than_days=setting("KEEP_DAYS")),
        "unusable messages": purge_rows(unusable),
        "tallies": purge_rows(Tally.objects.filter(_OLD_TALLIES)),
    }


_OLD_TALLIES = Q(grain="minute", at__lt=Now() - timedelta(days=MINUTES_DAYS)) | Q(
    grain="hour", at__lt=Now() - timedelta(days=HOURS_DAYS)
)
