"""Flower's settings, which it looks for in the folder that it is started in.

They cannot stand in ordersite/settings.py: Celery loads that only after Flower has read its own.
"""

import os
from pathlib import Path

from flower.views import BaseHandler

address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")


def read_secret(variable: str) -> str:
    """Return what the file holds that a variable names, "" where it names none. Ends the process where it cannot."""
    if not (name := os.environ.get(variable)):
        return ""
    try:
        return Path(name).read_text().strip()
    except OSError as error:  # Flower takes a missing file for a missing flowerconfig.py, and starts without password
        raise SystemExit(f"flower: {variable}={name} cannot be read: {error.strerror}.") from None


if name := os.environ.get("FLOWER_BASIC_AUTH_FILE"):
    basic_auth = [read_secret("FLOWER_BASIC_AUTH_FILE")]
    if ":" not in basic_auth[0]:
        raise SystemExit(f"flower: FLOWER_BASIC_AUTH_FILE={name} does not hold user:password.")

if of_rabbitmq := read_secret("FLOWER_BROKER_API_FILE"):
    broker_api = of_rabbitmq

_of_workers = BaseHandler.get_active_queue_names


def all_queues(handler: BaseHandler) -> list[str]:
    """Return the queues that a worker named, and all of ours.

    Flower asks the workers once, when it starts: those that start beside it or later do not answer, and their queues
    would be missing on the page Broker. It has no setting for more.
    """
    import django
    import django_stubs_ext
    from django.apps import apps

    if not apps.ready:  # Flower has none of our apps until then (ordersite/environment.py)
        django_stubs_ext.monkeypatch()
        django.setup()
    from events.subscriptions import the_map

    return sorted({*_of_workers(handler), *the_map().consumers, handler.capp.conf.task_default_queue})


BaseHandler.get_active_queue_names = all_queues
