"""Runs the deliveries of one message in a worker: start, apply, mark done. batch.py keeps count of what became of them.

What becomes of one that came alone and failed is decided in outcomes.py. Of several, whatever goes wrong, those that
are not done are given back, uncounted, to be sent alone.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error as DatabaseError
from django.db import connection

from events import flower
from events.errors import EventsError, is_database_away, is_deadlock
from events.failpoints import failpoint
from events.handlers import Handler, ReceivedEvent, Shape
from events.handling import deliveries, outcomes
from events.handling.batch import Batch, Member, in_request_of
from events.handling.deliveries import Started
from events.handling.lease import LeaseKeeper
from events.sql import bounded_transaction, execute_waiting

logger = logging.getLogger(__name__)

DEADLOCK_RETRIES = 3


class NotYielded(EventsError):
    """A handler that acts outside the database and takes many events has a bug: it did not say what is done."""


def run(handler: Handler, sent: Mapping[UUID, UUID], *, worker: str, parents: Mapping[UUID, str] | None = None) -> str:
    """Run the deliveries of a message (tokens by ids) and return what became of them, in words for Flower.

    `parents` are the contexts that came with the message, by ids: of the spans in which the deliveries were sent.
    Raises celery's Retry where the database is away, so that leases bring the deliveries back. Of a delivery that came
    alone it raises Retry too when it will be sent again (Flower shows RETRY; nothing is published by that), and the
    handler's own exception when it is now a dead letter (FAILURE).
    """
    started = _start(handler, sent, worker)
    if not started:
        logger.info("%s %s: %s", handler.name, ", ".join(map(str, sent)), flower.STALE)
        return flower.STALE
    batch = Batch(handler, started, alone=len(sent) == 1, parents=parents or {})
    with batch.at_work():
        try:
            if members := batch.readable():
                _APPLY[handler.shape](batch, members)
        except Exception as error:  # noqa: BLE001 - every failure of a handler has a fate, decided there
            if is_database_away(error):
                connection.close()  # what becomes of them is written over another
            batch.fail(error)
        return batch.end()


def _start(handler: Handler, sent: Mapping[UUID, UUID], worker: str) -> list[Started]:
    """Start the deliveries, by a second try where the connection died with the last restart of PostgreSQL."""
    start = partial(deliveries.start, sent, worker=worker, lease=handler.policy.limits.lease)
    for left in (1, 0):
        try:
            return start()
        except DatabaseError as error:
            connection.close()
            if not is_database_away(error):
                raise
            if not left:
                raise outcomes.put_off(f"{handler.name}: deliveries could not be started", error) from error
    return []


def _effects(batch: Batch, members: Sequence[Member]) -> None:
    """Apply the effects of all in one transaction where the handler takes many, else each in one of its own."""
    if batch.handler.many:
        apply_effect(batch, members)
        return
    for position, member in enumerate(members):
        if batch.is_late() and not batch.alone:
            batch.postpone(members[position:])
            return
        try:
            apply_effect(batch, [member])
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            if batch.alone or is_database_away(error):
                raise
            batch.fail(error, member[0])  # it costs the others nothing


def apply_effect(batch: Batch, members: Sequence[Member]) -> None:
    """Apply the effect and mark it done in one transaction, run again a few times when it was a deadlock's victim."""
    handler = batch.handler
    for left in reversed(range(DEADLOCK_RETRIES + 1)):
        try:
            with in_request_of([started for started, _ in members]), bounded_transaction(handler.policy.limits):
                done = _apply(handler, members)
            failpoint(f"committed {handler.name}")
            batch.done(done)
            return
        except DatabaseError as error:
            if not (left and is_deadlock(error)):
                raise


def _apply(handler: Handler, members: Sequence[Member]) -> set[UUID]:
    """Apply the effect of those that this worker still has, and return their ids."""
    held = deliveries.hold([started for started, _ in members])
    ours = [(started, event) for started, event in members if started.id in held]
    if not ours:
        return set()
    events = [event for _, event in ours]
    handler.function(events if handler.many else events[0])
    failpoint(f"applied {handler.name}", reach=execute_waiting)
    deliveries.finish_held([started for started, _ in ours])
    return held


def _outside(batch: Batch, members: Sequence[Member]) -> None:
    """Act with no transaction open and the leases renewed; then finish those of which the work is done."""
    handler, limits = batch.handler, batch.handler.policy.limits
    by_event = {event.id: started for started, event in members}
    acted: list[Started] = []
    try:
        with LeaseKeeper([started for started, _ in members], every=limits.lease / 3, longest=limits.hard):
            for event in _act(handler, [event for _, event in members]):
                failpoint(f"applied {handler.name}")
                acted.append(by_event[event.id])
        if batch.alone and not acted:
            raise NotYielded(f"{handler.name} ended without yielding the event, which says that its work is done")
    finally:
        if acted:
            batch.done(outcomes.write_down(handler, partial(deliveries.finish, acted)))


def _act(handler: Handler, events: Sequence[ReceivedEvent[Any]]) -> Iterable[ReceivedEvent[Any]]:
    """Have the handler act on these, and yield each whose work is done."""
    if handler.many:
        yield from handler.function(events)
        return
    for event in events:
        handler.function(event)
        yield event


_APPLY = {Shape.EFFECT: _effects, Shape.OUTSIDE: _outside}
