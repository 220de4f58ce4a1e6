"""Runs the deliveries of one message in a worker: start, apply, mark done.

What becomes of one that came alone and failed is decided in outcomes.py. Of several, whatever goes wrong, those that
are not done are given back, uncounted, to be sent alone.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any
from uuid import UUID

from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.db import Error as DatabaseError
from django.db import connection
from pydantic import ValidationError

from events import flower, tracing
from events.correlation import correlated
from events.errors import EventsError, PermanentError, is_database_away, is_deadlock
from events.failpoints import failpoint
from events.handlers import Handler, ReceivedEvent, Shape
from events.handling import deliveries, outcomes
from events.handling.deliveries import Started
from events.handling.lease import LeaseKeeper
from events.handling.outcome_log import log_outcome
from events.sql import bounded_transaction
from events.types import UnknownType, event_type

logger = logging.getLogger(__name__)

DEADLOCK_RETRIES = 3
TIME_SHARE = 0.4  # of the lease: a batch that has taken longer gives the rest back, while all its leases hold

Member = tuple[Started, ReceivedEvent[Any]]


class NotYielded(EventsError):
    """A handler that acts outside the database and takes many events has a bug: it did not say what is done."""


class Batch:
    """The deliveries of one message, and what has become of each.

    Each has a span of its own, in the trace that its event belongs to; all begin and end with the batch.
    """

    def __init__(
        self, handler: Handler, started: Sequence[Started], *, alone: bool, parents: Mapping[UUID, str]
    ) -> None:
        self.handler = handler
        self.alone = alone
        self._spans = {
            one.id: tracing.begin(tracing.PROCESS, handler.name, one, parents.get(one.id, "")) for one in started
        }
        self._started = [one.under(tracing.context_of(self._spans[one.id])) for one in started]
        self._began = time.monotonic()
        self._done: set[UUID] = set()
        self._postponed: set[UUID] = set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Do the enclosed work in the spans of all."""
        with in_request_of(self._started), tracing.ended(*self._spans.values()):
            yield

    def readable(self) -> list[Member]:
        """Return those whose events this code can read. Raises UnknownType and PermanentError of one that is alone."""
        members: list[Member] = []
        for one in self._started:
            try:
                members.append((one, receive(one)))
            except (UnknownType, PermanentError) as error:
                if self.alone:
                    raise
                logger.warning("%s cannot be read in a batch: %s", one.id, error)
        return members

    def is_late(self) -> bool:
        """Whether the batch has taken its share of the lease."""
        return time.monotonic() - self._began > self.handler.policy.limits.lease * TIME_SHARE

    def done(self, ids: set[UUID]) -> None:
        """Note that these are done."""
        self._done |= ids

    def postpone(self, members: Sequence[Member]) -> None:
        """Note that these were not tried: nothing speaks against another batch."""
        self._postponed |= {started.id for started, _ in members}

    def fail(self, error: Exception, *failed: Started) -> None:
        """Note that these, or all that are not done, failed. One that is alone has its fate decided: see outcomes.py.

        Raises what Celery is to be told of that one. Retry is no failure: what became of it could not be written down.
        """
        if self.alone:
            if isinstance(error, Retry):
                raise error
            outcomes.fail(self.handler, self._started[0], error)
            return
        for one in failed or [one for one in self._started if one.id not in self._done]:
            logger.warning("%s %s failed in a batch: %r", self.handler.name, one.id, error)
            tracing.fail(self._spans[one.id], error)

    def end(self) -> str:
        """Give back what is not done, and return what became of all, in words for Flower."""
        if self.alone:
            return self._end_of_one(self._started[0])
        failed = [one for one in self._started if one.id not in self._done | self._postponed]
        postponed = [one for one in self._started if one.id in self._postponed]
        for left, alone in ((failed, True), (postponed, False)):
            if left:
                outcomes.write_down(self.handler, partial(deliveries.give_back, left, alone=alone))
        for one in self._started:
            with in_request_of([one]):
                log_outcome(self.handler, one, self._outcome(one), batch=len(self._started))
        return flower.several_done(len(self._done), len(self._started), len(failed))

    def _end_of_one(self, one: Started) -> str:
        if self._done:
            log_outcome(self.handler, one, "done")
            return flower.done(one.attempts)
        why = "since the lease ran out: another worker has it"
        log_outcome(self.handler, one, "superseded", why, level=logging.WARNING)
        return flower.SUPERSEDED

    def _outcome(self, one: Started) -> str:
        if one.id in self._done:
            return "done"
        return "postponed" if one.id in self._postponed else "to run alone"


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
            batch.fail(error)
            if is_database_away(error):
                connection.close()
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


def in_request_of(started: Sequence[Started]) -> AbstractContextManager[None]:
    """Do the enclosed work under the request and the span of a single delivery; several have no one request."""
    if len(started) > 1:
        return nullcontext()
    return correlated(started[0].correlation_id, started[0].traceparent)


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
    failpoint(f"applied {handler.name}")
    return deliveries.finish([started for started, _ in ours])


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
