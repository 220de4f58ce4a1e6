"""Maintenance of the bus: plain Celery tasks, started by beat, harmless to lose."""

from celery import shared_task
from django.conf import settings

from events.purge import purge_done


@shared_task(name="events.purge")
def purge() -> dict[str, int]:
    """Delete deliveries that were done long ago; return how many."""
    return {"deliveries": purge_done(older_than_days=settings.EVENTS["KEEP_DONE_DAYS"])}
