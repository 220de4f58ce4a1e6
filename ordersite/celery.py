"""The Celery app. Every setting of it stands in settings.py under CELERY_."""

import gc
import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    task_prerun,
    worker_before_create_process,
    worker_process_init,
    worker_process_shutdown,
)
from django.conf import settings
from django.db import close_old_connections

from events import workers
from events.operations.beat import most_frequent_job
from telemetry import tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")

app = Celery("ordersite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
workers.prepare(app)


@celeryd_init.connect
def name_the_worker(options: dict[str, Any], **_: Any) -> None:
    """Have each line of a worker's log name its queues. This comes before its log is set up."""
    queues = options.get("queues") or [settings.CELERY_TASK_DEFAULT_QUEUE]
    os.environ["PROCESS_KIND"] = f"worker-{','.join(queues)}"


@beat_init.connect
def send_a_job_at_the_start(sender: Any, **_: Any) -> None:
    """Make the most frequent job due at beat's start: its result shows within seconds that beat's jobs run."""
    name, period = most_frequent_job()
    job = sender.scheduler.schedule[name]
    job.last_run_at = job.default_now() - period


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    logging.config.dictConfig(settings.LOGGING)


@task_prerun.connect
def have_a_connection_that_lives(**_: Any) -> None:
    """Have a database connection looked at before it is used, as Django does at the start of every request."""
    close_old_connections()


@worker_before_create_process.connect
def share_what_is_loaded(**_: Any) -> None:
    """Keep the collector of a pool process off what was there before the fork, which it shares with its parent.

    Looking through it writes to it, and so copies it: 20 MB a process (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def trace(**_: Any) -> None:
    """Have this process of a worker's pool send its spans: what was begun before the fork would send none."""
    tracing.set_up()


@worker_process_shutdown.connect
def send_the_last_spans(**_: Any) -> None:
    """Send what is left: a pool process ends without Python's own end."""
    tracing.flush()
