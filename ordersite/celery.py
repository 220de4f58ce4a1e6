"""The Celery app. Every setting of it stands in settings.py under CELERY_."""

import gc
import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_before_create_process, worker_shutting_down
from django.conf import settings
from django.db import close_old_connections

from events.jobs import worker_is_ending

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")

app = Celery("ordersite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add("events.worker:MessageGuard")  # by name: its module needs the apps loaded
worker_shutting_down.connect(worker_is_ending)


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Give workers and beat the log format of every other process (Celery's documented hook for this)."""
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
