"""Runs the deliveries of one message in a worker: together where the handler can, else one after the other.

Whatever goes wrong, those that are not done are given back, uncounted, to be sent alone (events/handling/batches.py).
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error as DatabaseError
from django.db import connection

from events import tracing
from events.correlation import correlated
from events.errors import PermanentError, is_database_away, is_deadlock
from events.failpoints import failpoint
from events.handlers import Handler, ReceivedEvent, Shape
from events.handling import batches, outcomes
from events.handling.deliveries import Started
from events.handling.lease import LeaseKeeper
from events.handling.outcome_log import log_outcome
from events.handling.runner import DEADLOCK_RETRIES, apply_effect, receive
from events.sql import bounded_transaction
from events.types import UnknownType

logger = logging.getLogger(__name__)

TIME_SHARE = 0.4  # of the lease: a batch that has taken longer gives the rest back, while all its leases hold

Member = tuple[Started, ReceivedEvent[Any]]


class Batch:
    """The deliveries of one message, and what has become of each.

    Each has a span of its own, in the trace that its event belongs to; all begin and end with the batch.
    """

    def __init__(self, handler: Handler, started: Sequence[Started], parents: Mapping[UUID, str]) -> None:
        self.handler = handler
        self._spans = {
            one.id: tracing.begin(tracing.PROCESS, handler.name, one, parents.get(one.id, "")) for one in started
        }
        self._started = [one.under(tracing.context_of(self._spans[one.id])) for one in started]
        self._began = time.monotonic()
        self._done: set[UUID] = set()
        self._postponed: set[UUID] = set()

    def in_spans(self) -> AbstractContextManager[None]:
        """Do the enclosed work in the spans of all."""
        return tracing.ended(*self._spans.values())

    def readable(self) -> list[Member]:
        """Return those whose events this code can read; what becomes of others is decided where they run alone."""
        members: list[Member] = []
        for one in self._started:
            try:
                members.append((one, receive(one)))
            except (UnknownType, PermanentError) as error:
                logger.warning("%s cannot be read in a batch: %s", one.id, error)
        return members

    def is_late(self) -> bool:
        """Whether the batch has taken its share of the lease."""
        return time.monotonic() - self._began > self.handler.policy.limits.lease * TIME_SHARE

    def done(self, *members: Member) -> None:
        """Note that these are done."""
        self._done |= {started.id for started, _ in members}

    def fail(self, error: Exception, *failed: Started) -> None:
        """Tell the traces of these, or of all that are not done, that they failed."""
        for one in failed or [one for one in self._started if one.id not in self._done]:
            tracing.fail(self._spans[one.id], error)

    def postpone(self, members: Sequence[Member]) -> None:
        """Note that these were not tried: nothing speaks against another batch."""
        self._postponed |= {started.id for started, _ in members}

    def end(self) -> str:
        """Give back what is not done, and return what became of all, in words."""
        failed = [one for one in self._started if one.id not in self._done | self._postponed]
        postponed = [one for one in self._started if one.id in self._postponed]
        for left, alone in ((failed, True), (postponed, False)):
            if left:
                outcomes.write_down(self.handler, partial(batches.give_back_many, left, alone=alone))
        self._tell()
        told = f"{len(self._done)} of {len(self._started)} done"
        return told + (f", {len(failed)} go on one by one" if failed else "")

    def _tell(self) -> None:
        for one in self._started:
            with correlated(one.correlation_id, one.traceparent):
                log_outcome(self.handler, one, self._outcome(one), batch=len(self._started))

    def _outcome(self, one: Started) -> str:
        if one.id in self._done:
            return "done"
        return "postponed" if one.id in self._postponed else "to run alone"


def run_batch(
    handler: Handler, sent: Mapping[UUID, UUID], *, worker: str, parents: Mapping[UUID, str] | None = None
) -> str:
    """Run the deliveries of a message (tokens by ids) and return what became of them, in words for Flower.

    `parents` are the contexts that came with the message, by ids: of the spans in which the deliveries were sent.
    Raises celery's Retry where the database is away; the leases then bring the deliveries back.
    """
    started = _start(handler, sent, worker)
    if not started:
        logger.info("%s: a batch of %d is stale", handler.name, len(sent))
        return f"stale: none of these {len(sent)} deliveries is this message's any more"
    batch = Batch(handler, started, parents or {})
    with batch.in_spans():
        _run_members(batch, batch.readable())
        return batch.end()


def _run_members(batch: Batch, members: Sequence[Member]) -> None:
    handler = batch.handler
    try:
        if members:
            _SHAPES[handler.shape, handler.many is not None](batch, members)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told of where the delivery runs alone
        logger.warning("%s: a batch of %d failed, and goes on one by one: %r", handler.name, len(members), error)
        batch.fail(error)
        if is_database_away(error):
            connection.close()


def _start(handler: Handler, sent: Mapping[UUID, UUID], worker: str) -> list[Started]:
    lease = handler.policy.limits.lease
    for left in (1, 0):
        try:
            return batches.start_many(sent, worker=worker, lease=lease)
        except DatabaseError as error:
            connection.close()  # it may have died with the last restart of PostgreSQL: one more try on a new one
            if not is_database_away(error):
                raise
            if not left:
                raise outcomes.put_off(f"{handler.name}: a batch could not be started", error) from error
    return []


def _together(batch: Batch, members: Sequence[Member]) -> None:
    """Apply the effects of all and mark them done in one transaction, run again when it was a deadlock's victim."""
    for left in reversed(range(DEADLOCK_RETRIES + 1)):
        try:
            with bounded_transaction(batch.handler.policy.limits):
                ours = _held(members)
                _apply_together(batch.handler, ours)
            failpoint(f"committed {batch.handler.name}")
            batch.done(*ours)
            return
        except DatabaseError as error:
            if not (left and is_deadlock(error)):
                raise


def _held(members: Sequence[Member]) -> list[Member]:
    held = batches.hold_many([started for started, _ in members])
    return [member for member in members if member[0].id in held]


def _apply_together(handler: Handler, members: Sequence[Member]) -> None:
    if handler.many and members:
        handler.many([event for _, event in members])
        failpoint(f"applied {handler.name}")
        batches.finish_many([started for started, _ in members])


def _one_by_one(batch: Batch, members: Sequence[Member]) -> None:
    """Apply each effect in a transaction of its own. One that fails is passed over."""
    for position, (started, event) in enumerate(members):
        if batch.is_late():
            batch.postpone(members[position:])
            return
        try:
            with correlated(started.correlation_id, started.traceparent):
                apply_effect(batch.handler, started, event)
            batch.done((started, event))
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            if is_database_away(error):
                raise
            logger.warning("%s %s failed in a batch: %r", batch.handler.name, started.id, error)
            batch.fail(error, started)


def _outside(batch: Batch, members: Sequence[Member]) -> None:
    """Act with no transaction open and the leases renewed; then finish those of which the work is told done."""
    handler, limits = batch.handler, batch.handler.policy.limits
    by_event = {event.id: (started, event) for started, event in members}
    acted: list[Member] = []
    try:
        with LeaseKeeper([started for started, _ in members], every=limits.lease / 3, longest=limits.hard):
            for event in (handler.many and handler.many([event for _, event in members])) or ():
                failpoint(f"applied {handler.name}")
                acted.append(by_event[event.id])
    finally:
        if acted:
            outcomes.write_down(handler, partial(batches.finish_many, [started for started, _ in acted]))
            batch.done(*acted)


def _outside_one_by_one(batch: Batch, members: Sequence[Member]) -> None:
    """Try none of them: work outside the database may take long, and the others' leases would run out meanwhile."""


_SHAPES = {
    (Shape.EFFECT, True): _together,
    (Shape.EFFECT, False): _one_by_one,
    (Shape.OUTSIDE, True): _outside,
    (Shape.OUTSIDE, False): _outside_one_by_one,
}
