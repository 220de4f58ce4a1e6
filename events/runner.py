"""Runs one delivery in a worker: start, apply, mark done; or say what becomes of it after a failure."""

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from celery.exceptions import Retry
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from pydantic import ValidationError

from events import deliveries
from events.catalogue import UnknownType, event_type
from events.correlation import correlated
from events.deliveries import ErrorText, Started
from events.errors import EventsError, Failure, PermanentError, classify, is_database_away, is_deadlock
from events.handlers import Handler, ReceivedEvent, Shape
from events.lease import LeaseKeeper
from events.models import Reason
from events.policy import Limits

logger = logging.getLogger(__name__)
T = TypeVar("T")

DEADLOCK_RETRIES = 3
REPORT_PAUSE = 0.5  # seconds between tries to write down an outcome while the database is away
MESSAGE_LIMIT = 2_000  # characters of an error's message that a delivery keeps
TRACEBACK_LIMIT = 20_000


class Superseded(EventsError):
    """This worker's lease ran out and the delivery went to another: whatever was done here is rolled back."""


def run(handler: Handler, delivery_id: UUID, token: UUID, *, worker: str) -> str:
    """Run the delivery that a message tells of and return what became of it, in words for Flower.

    Raises celery's Retry when the delivery will be sent again (Flower shows RETRY; nothing is published by that), and
    the handler's own exception when it is now a dead letter (FAILURE).
    """
    try:
        started = deliveries.start(delivery_id, token, worker=worker)
    except DatabaseError as error:
        # Nothing was counted, and the lease brings the delivery back.
        raise Retry("the database is away", exc=error) from error
    if started is None:
        return "stale: this delivery was already started or has moved on"
    with correlated(started.correlation_id):
        return _run_started(handler, started)


def _run_started(handler: Handler, started: Started) -> str:
    try:
        _SHAPES[handler.shape](handler, started, receive(started))
    except Superseded:
        logger.warning("%s %s: the lease ran out and another worker has it", handler.name, started.id)
        return "superseded: the lease ran out, and this run was rolled back"
    except UnknownType as error:
        _wait_for_code(started, error)
    except Exception as error:  # noqa: BLE001 - every failure of a handler has a fate, decided there
        _fail(handler, started, error)
    return f"done at attempt {started.attempts}"


def receive(started: Started) -> ReceivedEvent[Any]:
    """Return the event of a delivery, validated. Raises UnknownType, and PermanentError for data that do not fit."""
    try:
        data = event_type(started.type).model_validate(started.data)
    except ValidationError as error:
        raise PermanentError(f"the data do not fit {started.type}: {error}") from error
    return ReceivedEvent(
        id=started.event_id,
        type=started.type,
        subject=started.subject,
        sequence=started.sequence,
        time=started.time,
        correlation_id=started.correlation_id,
        data=data,
    )


def _run_effect(handler: Handler, started: Started, event: ReceivedEvent[Any]) -> None:
    """Apply the effect and mark it done in one transaction, run again a few times when it was a deadlock's victim."""
    for left in reversed(range(DEADLOCK_RETRIES + 1)):
        try:
            with transaction.atomic():
                bound_transaction(handler.policy.limits)
                if not deliveries.hold(started):
                    raise Superseded
                handler.function(event)
                deliveries.finish(started)
            return
        except DatabaseError as error:
            if not (left and is_deadlock(error)):
                raise


def _run_outside(handler: Handler, started: Started, event: ReceivedEvent[Any]) -> None:
    """Act with no transaction open and the lease renewed, then mark it done by the token."""
    with LeaseKeeper(started, every=handler.policy.limits.lease / 3):
        handler.function(event)
    if not deliveries.finish(started):
        raise Superseded


_SHAPES: dict[Shape, Callable[[Handler, Started, ReceivedEvent[Any]], None]] = {
    Shape.EFFECT: _run_effect,
    Shape.OUTSIDE: _run_outside,
}


def bound_transaction(limits: Limits) -> None:
    """Set the open transaction's time-outs, so that a frozen worker loses its row locks before its lease is over.

    transaction_timeout came with PostgreSQL 17; older servers bound each statement and each idle spell instead.
    """
    whole = "transaction_timeout" if server_version() >= 170_000 else "statement_timeout"
    milliseconds = str(int(limits.transaction * 1000))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true), set_config(%s, %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true)",
            [str(int(limits.lock * 1000)), whole, milliseconds, milliseconds],
        )


def server_version() -> int:
    """Return PostgreSQL's version, as 180006 for 18.6."""
    return int(connection.cursor().connection.info.server_version)


def _fail(handler: Handler, started: Started, error: Exception) -> NoReturn:
    """Write down what becomes of the delivery, and tell Celery in the way that makes Flower show it."""
    failure = classify(error)
    if failure is Failure.AWAY and started.waiting > settings.EVENTS["AWAY_LIMIT"]:
        failure = Failure.TRANSIENT
    reason = _reason_to_die(failure, started)
    if reason is not None:
        logger.error("%s %s is dead (%s)", handler.name, started.id, reason.label, exc_info=error)
        _report(handler, lambda: deliveries.bury(started, reason, describe(error)))
        raise error
    counted = failure is not Failure.AWAY
    delay = handler.policy.backoff.delay(started.attempts + started.waits)
    logger.warning("%s %s: %r, again in %.1f s", handler.name, started.id, error, delay)
    _report(handler, lambda: deliveries.retry(started, delay=delay, counted=counted, error=describe(error)))
    raise Retry(exc=error, when=round(delay, 3)) from error  # type: ignore[arg-type]  # it takes any number


def _reason_to_die(failure: Failure, started: Started) -> Reason | None:
    if failure is Failure.PERMANENT:
        return Reason.PERMANENT_ERROR
    if failure is Failure.AWAY or started.attempts < started.max_attempts:
        return None
    return Reason.TIMED_OUT if failure is Failure.TIMED_OUT else Reason.ATTEMPTS_EXHAUSTED


def _wait_for_code(started: Started, error: UnknownType) -> NoReturn:
    policy = settings.EVENTS
    state = deliveries.set_aside(
        started.id,
        started.token,
        reason=Reason.UNKNOWN_TYPE,
        error=describe(error),
        grace=policy["UNKNOWN_GRACE"],
        delay=policy["UNKNOWN_RETRY"],
    )
    if state == "dead":
        raise error
    raise Retry(exc=error, when=policy["UNKNOWN_RETRY"]) from error


def _report(handler: Handler, write: Callable[[], T]) -> T:
    """Write an outcome down, waiting up to the lease for a database that is away: else its absence would count as
    the handler's attempt. Raises Retry when it stays away; the lease then brings the delivery back.
    """
    deadline = time.monotonic() + handler.policy.limits.lease
    while True:
        try:
            return write()
        except DatabaseError as error:
            if not is_database_away(error) or time.monotonic() > deadline:
                raise Retry("the outcome could not be written", exc=error) from error
            connection.close()
            time.sleep(REPORT_PAUSE)


def describe(error: BaseException) -> ErrorText:
    """Return the exception as a dead letter keeps it: type, message and traceback, each bounded."""
    kind = type(error)
    lines = "".join(traceback.format_exception(error))
    return ErrorText(
        type=f"{kind.__module__}.{kind.__qualname__}"[:200],
        message=str(error)[:MESSAGE_LIMIT].replace("\0", ""),
        traceback=lines[-TRACEBACK_LIMIT:].replace("\0", ""),
    )
