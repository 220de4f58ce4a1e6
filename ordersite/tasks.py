"""Maintenance that concerns several apps. Plain Celery tasks, started by beat, harmless to lose."""

from celery import shared_task
from django.conf import settings

from events.purge import purge_done
from orders.idempotency import purge_answers
from users.services import purge_expired_tokens


@shared_task(name="ordersite.purge")
def purge() -> dict[str, int]:
    """Delete what is past its time; return how many rows of each kind."""
    return {
        "deliveries": purge_done(older_than_days=settings.EVENTS["KEEP_DONE_DAYS"]),
        "stored answers": purge_answers(),
        "tokens": purge_expired_tokens(),
    }
