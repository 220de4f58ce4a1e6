"""The bus's settings: what stands in settings.EVENTS, and the defaults of what does not."""

from typing import Any

from celery import Celery
from celery.app import app_or_default
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

# Bounds that a deployment may turn. Each follows from what it says; docs/limits.md of the project tells more.
BOUNDS: dict[str, int | float] = {
    # Seconds. A message that nobody started, or whose worker fell silent, is sent again after this. The time limits
    # of a handler follow from it (events/policy.py).
    "LEASE": 30,
    # Seconds: the first back-off, doubled at each attempt up to the longest, with full jitter.
    "BACKOFF_FIRST": 1.0,
    "BACKOFF_LONGEST": 300.0,
    "MAX_ATTEMPTS": 10,
    # Deliveries of one handler that may share a message under a backlog.
    "BATCH": 25,
    # Seconds: how long what a handler depends on may be away before its absence counts as attempts.
    "AWAY_LIMIT": 86_400,
    # Seconds: how long a delivery waits, uncounted, for code that knows its handler or its type (a deploy).
    "UNKNOWN_GRACE": 3_600,
    "UNKNOWN_RETRY": 30.0,
    # Seconds for which a delivery may be due and not started before that is told: log, /health/ready, /metrics.
    "STUCK_AFTER": 60.0,
    # Days that done and discarded deliveries stay, for timelines and questions.
    "KEEP_DONE_DAYS": 90,
    # Days that events stay; 0: for ever, for timelines, backfills and rebuilt projections.
    "KEEP_DAYS": 0,
    "KEEP_UNUSABLE_DAYS": 30,
}

DEFAULTS: dict[str, Any] = BOUNDS | {
    # The event's `source` (CloudEvents), and the prefix of metrics' names.
    "SOURCE": "/events",
    "METRICS_PREFIX": "events",
    # The Celery app, by its dotted path; the current one where it is "".
    "CELERY": "",
    # Other servers that the operations page and /metrics watch: the name for people, and their PROCESS_KIND.
    "SERVICES": {},
    # Where people reach Flower, and the log lines of a request (with {request_id} in it): dead letters link there.
    "FLOWER_URL": "",
    "LOGS_URL": "",
    # What may stand in no row and no line of a log, beside SECRET_KEY and the passwords of DATABASES and of mail.
    "SECRETS": (),
}


def setting(name: str) -> Any:
    """Return a setting of the bus. Raises ImproperlyConfigured where it is missing and has no default."""
    given: dict[str, Any] = settings.EVENTS
    try:
        return given[name] if name in given else DEFAULTS[name]
    except KeyError:
        raise ImproperlyConfigured(f'settings.EVENTS has no "{name}", which has no default.') from None


def celery() -> Celery:
    """Return the Celery app whose workers run the handlers."""
    path = setting("CELERY")
    app: Celery = import_string(path) if path else app_or_default()
    return app
