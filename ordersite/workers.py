"""What happens in a worker's processes, at their start, around each task, and at their end."""

import gc
from typing import Any

from celery import Celery
from celery.signals import (
    task_prerun,
    worker_before_create_process,
    worker_process_init,
    worker_process_shutdown,
)
from django.db import close_old_connections

from events import workers
from telemetry import tracing


def prepare(app: Celery) -> None:
    """Have this app's workers run handlers, and look after their processes."""
    workers.prepare(app)
    task_prerun.connect(have_a_connection_that_lives)
    worker_before_create_process.connect(share_what_is_loaded)
    worker_process_init.connect(trace)
    worker_process_shutdown.connect(send_the_last_spans)


def have_a_connection_that_lives(**_: Any) -> None:
    """Have a database connection looked at before it is used, as Django does at the start of every request."""
    close_old_connections()


def share_what_is_loaded(**_: Any) -> None:
    """Keep the collector of a pool process off what was there before the fork, which it shares with its parent.

    Looking through it writes to it, and so copies it: 20 MB a process (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.collect()
    gc.freeze()


def trace(**_: Any) -> None:
    """Have this process of a worker's pool send its spans: what was begun before the fork would send none."""
    tracing.set_up()


def send_the_last_spans(**_: Any) -> None:
    """Send what is left: a pool process ends without Python's own end."""
    tracing.flush()
