"""What becomes of a delivery whose handler failed, and how that is written down."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.db import Error as DatabaseError
from django.db import connection

from events import flower
from events.conf import setting
from events.error_text import describe
from events.errors import Failure, classify, is_database_away
from events.handlers import Handler, Shape
from events.handling import failures
from events.handling.deliveries import Started
from events.handling.outcome_log import log_outcome
from events.models import Reason, WaitingFor
from events.types import UnknownType

logger = logging.getLogger(__name__)
T = TypeVar("T")

PAUSE = 0.5  # seconds between tries to write down an outcome while the database is away


def put_off(what: str, error: Exception) -> Retry:
    """Return what to raise where the database is away, and log it: the lease brings back what is in hand."""
    logger.warning("%s: %r", what, error)
    return flower.later(what, error)


def fail(handler: Handler, started: Started, error: Exception) -> None:
    """Write down what becomes of the delivery, and tell Celery in the way that makes Flower show it.

    Raises the error where the delivery is dead now, and Retry where it is due again later. Returns where this worker
    had lost it: what it failed of is then the business of nobody.
    """
    if isinstance(error, UnknownType):
        _wait_for_code(handler, started, error)
        return
    failure = classify(error)
    is_counted = (
        failure is not Failure.AWAY or started.waiting > setting("AWAY_LIMIT") or _ran_out(handler, started, error)
    )
    reason = _reason_to_die(failure, started, is_counted=is_counted)
    if reason is not None:
        if write_down(handler, partial(failures.bury, started, reason, describe(error))):
            log_outcome(handler, started, "dead", str(reason.label), level=logging.ERROR, error=error)
            raise error
        return
    delay = handler.policy.backoff.delay(started.attempts + started.waits)
    retry = partial(
        failures.retry,
        started,
        delay=delay,
        counted=is_counted,
        error=describe(error),
        waiting_for=WaitingFor.DEPENDENCY if failure is Failure.AWAY else None,
    )
    if write_down(handler, retry):
        log_outcome(handler, started, "retry", f"again in {delay:.1f} s", level=logging.WARNING, error=error)
        raise flower.again(error, delay) from error


def _wait_for_code(handler: Handler, started: Started, error: UnknownType) -> None:
    """Set a delivery aside whose type this code does not know. Raises as fail() does."""
    delay = setting("UNKNOWN_RETRY")
    set_aside = partial(
        failures.set_aside,
        started.id,
        started.token,
        reason=Reason.UNKNOWN_TYPE,
        error=describe(error),
        grace=setting("UNKNOWN_GRACE"),
        delay=delay,
    )
    state = write_down(handler, set_aside)
    if state is None:
        return
    log_outcome(handler, started, state, "since no code here knows it", level=logging.WARNING, error=error)
    if state == "dead":
        raise error
    raise flower.again(error, delay) from error


def write_down(handler: Handler, write: Callable[[], T]) -> T:
    """Write an outcome, waiting for a database that is away: else its absence might count as an attempt.

    Waits until the handler's soft time limit. Raises Retry then; the lease brings the delivery back.
    """
    deadline = time.monotonic() + handler.policy.limits.soft
    while True:
        try:
            return write()
        except DatabaseError as error:
            if not is_database_away(error) or time.monotonic() > deadline:
                raise put_off(f"{handler.name}: the outcome could not be written", error) from error
            connection.close()
            _pause(error)


def _ran_out(handler: Handler, started: Started, error: Exception) -> bool:
    """Tell whether an effect may have lost its connection because its transaction took too long.

    PostgreSQL ends that one, and libpq does not always say why.
    """
    took = time.monotonic() - started.began
    return handler.shape is Shape.EFFECT and is_database_away(error) and took > handler.policy.limits.transaction


def _reason_to_die(failure: Failure, started: Started, *, is_counted: bool) -> Reason | None:
    if failure is Failure.PERMANENT:
        return Reason.PERMANENT_ERROR
    if not is_counted or started.attempts < started.max_attempts:
        return None
    return Reason.TIMED_OUT if failure is Failure.TIMED_OUT else Reason.ATTEMPTS_EXHAUSTED


def _pause(error: Exception) -> None:
    """Wait before an outcome is written again; the soft time limit may end the wait."""
    try:
        time.sleep(PAUSE)
    except SoftTimeLimitExceeded:
        raise put_off("the outcome could not be written in time", error) from error
