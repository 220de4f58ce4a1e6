"""Which processes are at work, told by what only a process at work leaves behind."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django_celery_results.models import TaskResult
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from events.snapshots import oldest_holder
from events.subscriptions import the_map
from ordersite.activity import activity
from ordersite.celery import app
from ordersite.health import broker_answers

logger = logging.getLogger(__name__)

INSPECT_TIMEOUT = 1.0  # seconds: so long are the workers' answers waited for
KEPT = 5  # seconds for which an answer of the workers does for everybody who asks
BEAT_LATE = 240  # seconds; what beat sends comes within its period and this
PERIODIC = "check-stock"  # the task that beat sends most often
TRANSPORT = {"socket_timeout": 1, "socket_connect_timeout": 1}


@dataclass(frozen=True)
class Process:
    """A kind of process: whether one of it is at work, and what is known of it."""

    name: str
    up: bool
    detail: str


def processes() -> Sequence[Process]:
    """Return the state of the broker, the relays, a worker for each queue, beat, gRPC where it is to be, and vacuum."""
    broker = broker_answers()
    workers = workers_by_queue() if broker else {}
    seen = activity()
    return [
        Process("broker", broker, "answers" if broker else "does not answer: orders are taken, and wait"),
        _relays(seen.relays),
        *(_worker(queue, workers.get(queue, [])) for queue in [*the_map().consumers, "maintenance"]),
        _beat(),
        *([_grpc(up=seen.grpc)] if settings.GRPC["tokens"] else []),
        _vacuum(),
    ]


def workers_by_queue() -> Mapping[str, Sequence[str]]:
    """Ask the workers, by the broker, which queues they consume; an answer is kept for a few seconds."""
    known: dict[str, list[str]] | None = cache.get("operations.workers")
    if known is None:
        known = _ask_workers()
        cache.set("operations.workers", known, KEPT)
    return known


def _ask_workers() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        with app.connection_for_write(transport_options=TRANSPORT) as connection:
            asked = app.control.inspect(timeout=INSPECT_TIMEOUT, connection=connection)
            answers = asked.active_queues() or {}
    except (BrokerError, RedisError, OSError) as error:  # kombu leaves redis-py's own as they are; a full broker is one
        logger.warning("the workers could not be asked: %s: %s", type(error).__name__, error)
        return {}
    for worker, queues in sorted(answers.items()):
        for queue in queues:
            found.setdefault(queue["name"], []).append(worker)
    return found


def _worker(queue: str, names: Sequence[str]) -> Process:
    return Process(
        f"worker of {queue}", bool(names), ", ".join(names) or "none answers: without one its deliveries wait"
    )


def _relays(number: int) -> Process:
    return Process("relay", number > 0, f"{number} at work" if number else "none at work: events wait")


def _grpc(*, up: bool) -> Process:
    return Process("gRPC", up, "at work" if up else "none at work: other services get no answer")


def _vacuum() -> Process:
    """Say who holds vacuum up; it is not down for that: a backup does it every night."""
    holder = oldest_holder()
    return Process("vacuum", True, f"held up: {holder}" if holder else "no old snapshot is held")


def _beat() -> Process:
    schedule: Any = settings.CELERY_BEAT_SCHEDULE[PERIODIC]["schedule"]
    period = schedule.total_seconds()
    last = TaskResult.objects.filter(periodic_task_name=PERIODIC).order_by("-id").values_list("date_created").first()
    if last is None:
        return Process("beat", False, "nothing that it sent has come yet")
    age = (timezone.now() - last[0]).total_seconds()
    return Process("beat", age < period + BEAT_LATE, f"what it sent last came {age:,.0f} s ago")
