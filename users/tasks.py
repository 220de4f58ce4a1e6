"""Maintenance of accounts: a plain Celery task, started by beat, harmless to lose."""

from celery import shared_task

from users.services import purge_expired_tokens


@shared_task(name="users.purge")
def purge() -> dict[str, int]:
    """Delete tokens that have expired; return how many."""
    return {"tokens": purge_expired_tokens()}
