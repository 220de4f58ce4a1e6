"""What a Celery app needs so that its workers run handlers: one call, where the app is made."""

from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_shutting_down

from events import correlation
from events.jobs import worker_is_ending


def prepare(app: Celery) -> None:
    """Have this app's workers keep messages that nobody can use, and log each task under its request."""
    app.steps["consumer"].add("events.handling.worker:MessageGuard")  # by name: its module needs the apps loaded
    worker_shutting_down.connect(worker_is_ending)
    task_prerun.connect(_work_under_the_request_id)
    task_postrun.connect(_leave_the_request_id)


def _work_under_the_request_id(task: Any, **_: Any) -> None:
    correlation.begin(task.request.get("request_id") or "")


def _leave_the_request_id(**_: Any) -> None:
    correlation.begin("")
