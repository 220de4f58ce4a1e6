"""What a Celery app needs so that its workers run handlers: one call, where the app is made."""

from typing import Any

from celery import Celery
from celery.signals import import_modules, task_postrun, task_prerun, worker_shutting_down

from events import correlation
from events.jobs import worker_is_ending
from events.subscriptions import the_map


def prepare(app: Celery) -> None:
    """Have this app's workers know all handlers of the map, keep messages that nobody can use, and end in time.

    Its tasks are those of the bus too, which beat may send (events/tasks.py).
    """
    app.autodiscover_tasks(["events"])
    import_modules.connect(_import_the_map)
    app.steps["consumer"].add("events.handling.message_guard:MessageGuard")  # by name: its module needs the apps loaded
    app.steps["consumer"].add("events.handling.task_events:TaskEventsTogether")
    worker_shutting_down.connect(worker_is_ending)
    task_prerun.connect(_work_under_the_request_id)
    task_postrun.connect(_leave_the_request_id)


def _import_the_map(**_: Any) -> None:
    """Register the handlers' tasks: a worker that does not know one sets its deliveries aside."""
    the_map()


def _work_under_the_request_id(task: Any, **_: Any) -> None:
    correlation.begin(task.request.get("request_id") or "")


def _leave_the_request_id(**_: Any) -> None:
    correlation.begin("")
