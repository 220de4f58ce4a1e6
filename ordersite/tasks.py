"""Maintenance of what belongs to no app: a plain Celery task, started by beat, harmless to lose."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db.models.functions import Now
from django_celery_results.models import GroupResult, TaskResult

from events.purge import purge_rows


@shared_task(name="ordersite.purge")
def purge() -> dict[str, int]:
    """Delete results of plain tasks that are old; return how many. (Celery's own clean-up deletes all in one go.)"""
    old = Now() - timedelta(days=settings.KEEP_RESULTS_DAYS)
    return {
        "results": purge_rows(TaskResult.objects.filter(date_done__lt=old)),
        "group results": purge_rows(GroupResult.objects.filter(date_done__lt=old)),
    }
