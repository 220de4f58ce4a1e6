"""Runs one delivery in a worker: start, apply, mark done. What becomes of a failure is decided in outcomes.py."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from celery.exceptions import Retry
from django.db import Error as DatabaseError
from django.db import connection
from pydantic import ValidationError

from events import tracing
from events.correlation import correlated
from events.errors import PermanentError, is_database_away, is_deadlock
from events.failpoints import failpoint
from events.handlers import Handler, ReceivedEvent, Shape
from events.handling import deliveries, outcomes
from events.handling.deliveries import Started
from events.handling.lease import LeaseKeeper
from events.handling.outcome_log import log_outcome
from events.handling.outcomes import Superseded
from events.sql import bounded_transaction
from events.types import UnknownType, event_type

logger = logging.getLogger(__name__)

DEADLOCK_RETRIES = 3

STALE = "stale: this delivery was already started or has moved on"
SUPERSEDED = "superseded: the lease ran out, and another worker has the delivery"
NOT_OURS = (STALE, SUPERSEDED)


def run(handler: Handler, delivery_id: UUID, token: UUID, *, worker: str, parent: str = "") -> str:
    """Run the delivery that a message tells of and return what became of it, in words for Flower.

    `parent` is the context that came with the message, of the span in which it was sent.
    Raises celery's Retry when the delivery will be sent again (Flower shows RETRY; nothing is published by that), and
    the handler's own exception when it is now a dead letter (FAILURE).
    """
    started = _start(handler, delivery_id, token, worker)
    if started is None:
        logger.info("%s %s: stale, it was already started or has moved on", handler.name, delivery_id)
        return STALE
    span = tracing.begin(tracing.PROCESS, handler.name, started, parent)
    started = started.under(tracing.context_of(span))
    with correlated(started.correlation_id, started.traceparent), tracing.ended(span):
        return _run_started(handler, started)


def _start(handler: Handler, delivery_id: UUID, token: UUID, worker: str) -> Started | None:
    """Start the delivery, by a second try where its connection died with the last restart of PostgreSQL.

    Raises Retry where the database is away; the lease then brings the delivery back.
    """
    lease = handler.policy.limits.lease
    try:
        return deliveries.start(delivery_id, token, worker=worker, lease=lease)
    except DatabaseError as error:
        connection.close()
        if not is_database_away(error):
            raise
    try:
        return deliveries.start(delivery_id, token, worker=worker, lease=lease)
    except DatabaseError as error:
        connection.close()
        raise outcomes.put_off(f"{handler.name} {delivery_id}: the delivery could not be started", error) from error


def _run_started(handler: Handler, started: Started) -> str:
    try:
        _apply(handler, started)
    except Superseded:
        log_outcome(
            handler, started, "superseded", "since the lease ran out: another worker has it", level=logging.WARNING
        )
        return SUPERSEDED
    log_outcome(handler, started, "done")
    return f"done at attempt {started.attempts}"


def _apply(handler: Handler, started: Started) -> None:
    try:
        _SHAPES[handler.shape](handler, started, receive(started))
    except UnknownType as error:
        outcomes.wait_for_code(handler, started, error)
    except (Superseded, Retry):
        raise
    except Exception as error:  # noqa: BLE001 - every failure of a handler has a fate, decided there
        outcomes.fail(handler, started, error)


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
        traceparent=started.traceparent,
        data=data,
    )


def apply_effect(handler: Handler, started: Started, event: ReceivedEvent[Any]) -> None:
    """Apply the effect and mark it done in one transaction, run again a few times when it was a deadlock's victim."""
    for left in reversed(range(DEADLOCK_RETRIES + 1)):
        try:
            with bounded_transaction(handler.policy.limits):
                if not deliveries.hold(started):
                    raise Superseded
                handler.function(event)
                failpoint(f"applied {handler.name}")
                deliveries.finish(started)
            failpoint(f"committed {handler.name}")
            return
        except DatabaseError as error:
            if not (left and is_deadlock(error)):
                raise


def _run_outside(handler: Handler, started: Started, event: ReceivedEvent[Any]) -> None:
    """Act with no transaction open and the lease renewed, then mark it done by the token."""
    limits = handler.policy.limits
    with LeaseKeeper([started], every=limits.lease / 3, longest=limits.hard):
        handler.function(event)
        failpoint(f"applied {handler.name}")
    if not outcomes.write_down(handler, lambda: deliveries.finish(started)):
        raise Superseded


_SHAPES: dict[Shape, Callable[[Handler, Started, ReceivedEvent[Any]], None]] = {
    Shape.EFFECT: apply_effect,
    Shape.OUTSIDE: _run_outside,
}
