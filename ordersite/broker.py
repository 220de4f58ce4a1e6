"""The broker's Redis or Valkey, for what the site itself asks of it. Celery has connections of its own."""

import redis
from django.conf import settings


def connect(timeout: float) -> redis.Redis:
    """Return a client that gives up after `timeout` seconds, to connect and for each answer, and never tries again.

    Nothing is sent before its first command.
    """
    return redis.Redis.from_url(
        settings.BROKER_URL.partition("?")[0],  # what stands behind is kombu's, and so in the setting below
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=None,
        **settings.CELERY_BROKER_USE_SSL,
    )
