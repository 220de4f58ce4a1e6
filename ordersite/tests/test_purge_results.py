from datetime import timedelta

import pytest
from celery import current_app
from celery.beat import Scheduler
from django.conf import settings
from django.db.models.functions import Now
from django_celery_results.models import GroupResult, TaskResult

from ordersite.tasks import purge

pytestmark = pytest.mark.django_db


def result(days: int) -> None:
    row = TaskResult.objects.create(task_id=f"t-{days}", status="SUCCESS")
    TaskResult.objects.filter(pk=row.pk).update(date_done=Now() - timedelta(days=days))


def test_old_results_are_deleted_and_young_ones_stay() -> None:
    result(29)
    result(31)
    GroupResult.objects.create(group_id="g", date_created="2020-01-01T00:00:00Z", date_done="2020-01-01T00:00:00Z")
    GroupResult.objects.update(date_done="2020-01-01T00:00:00Z")
    assert purge() == {"results": 1, "group results": 1}
    assert TaskResult.objects.get().task_id == "t-29"


def test_every_purge_is_a_task_that_beat_starts() -> None:
    """And Celery's own clean-up, which deletes all in one transaction, is not."""
    purges = {name: entry["task"] for name, entry in settings.CELERY_BEAT_SCHEDULE.items() if name.startswith("purge")}
    assert set(purges.values()) == {f"{app}.purge" for app in ("events", "orders", "users", "analytics", "ordersite")}
    current_app.loader.import_default_modules()
    assert set(purges.values()) <= set(current_app.tasks)
    scheduler = Scheduler(current_app)
    scheduler.setup_schedule()
    scheduler.install_default_entries(scheduler.schedule)
    assert "celery.backend_cleanup" not in scheduler.schedule
