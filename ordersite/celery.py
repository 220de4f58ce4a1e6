"""The Celery app. Every setting of it stands in settings.py under CELERY_."""

import logging.config
import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, import_modules, setup_logging
from django.conf import settings

from events.operations.beat import most_frequent_job
from ordersite.environment import HAS_APPS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
if "BROKER_URL" in os.environ and os.environ.get("CELERY_BROKER_URL") == os.environ["BROKER_URL"]:
    # Celery's script reads BROKER_URL by itself, and would have it instead of what the settings make of it.
    del os.environ["CELERY_BROKER_URL"]

app = Celery("ordersite", fixups=None if HAS_APPS else [])
app.config_from_object("django.conf:settings", namespace="CELERY")
if HAS_APPS:
    from ordersite import workers

    app.autodiscover_tasks()
    workers.prepare(app)
else:
    sys.path.insert(0, str(Path(__file__).parents[1]))  # as Celery's part for Django does: its script is elsewhere
    # Ours is made of models, and workers store what becomes of a task; and modules of tasks need the apps.
    app.conf.update(result_backend="disabled", imports=[])


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


if not HAS_APPS:  # else Django does so, at this point
    import_modules.connect(use_django_logging)
