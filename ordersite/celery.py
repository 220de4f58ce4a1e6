"""The Celery app. Every setting of it stands in settings.py under CELERY_."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")

app = Celery("ordersite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add("events.worker:MessageGuard")  # by name: its module needs the apps loaded


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Give workers and beat the log format of every other process (Celery's documented hook for this)."""
    logging.config.dictConfig(settings.LOGGING)
