"""Which processes are at work, told by what only a process at work leaves behind."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from django_celery_results.models import TaskResult
from kombu.exceptions import OperationalError as BrokerError

from events.broker import broker_errors, open_connection
from events.conf import celery, setting
from events.operations.activity import activity
from events.operations.availability import broker_refusal, why_no_writes
from events.operations.beat import most_frequent_job
from events.statistics.snapshots import oldest_holder
from events.subscriptions import the_map

logger = logging.getLogger(__name__)

INSPECT_TIMEOUT = 1.0  # seconds: so long are the workers' answers waited for
KEPT = 5  # seconds for which an answer of the workers does for everybody who asks
JOB_LATE = 480  # seconds; a job of beat's starts within its period and this, since it may wait behind a long purge
# Who is asked: beat answers only a ping, and only while it ticks (CELERY_BEAT_ENABLE_REMOTE_CONTROL).
BEAT: Mapping[str, Any] = {"pattern": "celerybeat@*", "matcher": "glob", "limit": 1}
SECONDS = 1  # to connect to the broker, and for each of its own answers


@dataclass(frozen=True)
class Process:
    """A kind of process: whether one of it is at work, and what is known of it."""

    name: str
    up: bool
    detail: str


@dataclass(frozen=True)
class Answers:
    """Who answers by the broker: the workers of each queue, by its name; and beats."""

    workers: Mapping[str, Sequence[str]]
    beats: Sequence[str]


NOBODY = Answers({}, [])


def processes() -> Sequence[Process]:
    """Return the state of database, broker, relays, a worker for each queue, beat, other services, and vacuum."""
    refusal = broker_refusal()
    answers = NOBODY if refusal else _worker_answers()
    seen = activity()
    no_writes = why_no_writes()
    queues = [*the_map().consumers, celery().conf.task_default_queue]
    return [
        Process("database", not no_writes, no_writes or "takes writes"),
        Process("broker", not refusal, f"events are kept, and wait: {refusal}" if refusal else "takes messages"),
        Process("relay", seen.relays > 0, f"{seen.relays} at work" if seen.relays else "none at work: events wait"),
        *(_worker(queue, answers.workers.get(queue, [])) for queue in queues),
        _beat(answers.beats),
        *(_service(name, up=kind in seen.kinds) for name, kind in setting("SERVICES").items()),
        _vacuum(),
    ]


def _worker_answers() -> Answers:
    """Ask workers and beat by the broker; an answer is kept for a few seconds."""
    known: Answers | None = cache.get("operations.answers")
    if known is None:
        known = _ask()
        cache.set("operations.answers", known, KEPT)
    return known


def _ask() -> Answers:
    workers: dict[str, list[str]] = {}
    try:
        beats, queues = _inspect("ping", **BEAT), _inspect("active_queues")
    except (BrokerError, OSError) as error:
        logger.warning("the workers could not be asked: %s: %s", type(error).__name__, error)
        return NOBODY
    for worker, consumed in sorted(queues.items()):
        for queue in consumed:
            workers.setdefault(queue["name"], []).append(worker)
    return Answers(workers, sorted(beats))


def _inspect(question: str, **whom: Any) -> Mapping[str, Any]:
    """Ask on a connection of its own: on one that waited in vain kombu still reads for the answers to the last one."""
    app = celery()
    with open_connection(app, SECONDS) as connection, broker_errors(connection):
        inspect = app.control.inspect(timeout=INSPECT_TIMEOUT, connection=connection, **whom)
        return getattr(inspect, question)() or {}


def _worker(queue: str, names: Sequence[str]) -> Process:
    detail = ", ".join(names) or "none answers: without one its deliveries wait"
    return Process(f"worker of {queue}", bool(names), detail)


def _service(name: str, *, up: bool) -> Process:
    return Process(name, up, "at work" if up else "none at work: other services get no answer")


def _beat(names: Sequence[str]) -> Process:
    """Beat is up where it answers and its jobs run. It sends one at its start, so that this shows within seconds."""
    period = most_frequent_job()[1].total_seconds()
    begun = TaskResult.objects.exclude(periodic_task_name=None).order_by("-id").values_list("date_created", flat=True)
    last = begun.first()
    age = (timezone.now() - last).total_seconds() if last else None
    ran = "none of its jobs has run yet" if age is None else f"its last job began {age:,.0f} s ago"
    if not names:
        return Process("beat", False, f"none answers: no purge, no periodic check; {ran}")
    if age is None or age > period + JOB_LATE:
        return Process("beat", False, f"{', '.join(names)} answers, but {ran}; one is due every {period:,.0f} s")
    return Process("beat", True, f"{', '.join(names)}; {ran}")


def _vacuum() -> Process:
    """Say who holds vacuum up; it is not down for that: a backup does it every night."""
    holder = oldest_holder()
    return Process("vacuum", True, f"held up: {holder}" if holder else "no old snapshot is held")
