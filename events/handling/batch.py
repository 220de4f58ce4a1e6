"""The deliveries of one message while a worker runs them: which can be read, which are done, which go back."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any
from uuid import UUID

from celery.exceptions import Retry
from pydantic import ValidationError

from events import flower, tracing
from events.correlation import correlated
from events.errors import PermanentError
from events.handlers import Handler, ReceivedEvent
from events.handling import deliveries, outcomes
from events.handling.deliveries import Started
from events.handling.outcome_log import log_outcome
from events.types import UnknownType, event_type

logger = logging.getLogger(__name__)

TIME_SHARE = 0.4  # of the lease: a batch that has taken longer gives the rest back, while all its leases hold

Member = tuple[Started, ReceivedEvent[Any]]


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
