"""Gives a new handler the past events that it missed, without doubling any."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from events.chunks import FIRST
from events.errors import EventsError
from events.purge import DELIVERIES_PURGED_UNTIL, no_purge
from events.sql import fetch, held_back
from events.subscriptions import the_map

CHUNK = 1_000  # events a transaction: short ones, so that traffic goes on


class NotSubscribed(EventsError):
    """The handler is subscribed to nothing (settings.EVENTS["SUBSCRIPTIONS"])."""


class Step(NamedTuple):
    """What a chunk came to: the events looked at, and the deliveries made for them."""

    looked_at: int
    made: int


def count_past(handler_name: str, *, from_the_beginning: bool = False) -> int:
    """Return how many events backfill() would look at now. Raises NotSubscribed."""
    return int(fetch(_COUNT, _parameters(handler_name, from_the_beginning))[0][0])


def backfill(handler_name: str, *, from_the_beginning: bool = False) -> Iterator[Step]:
    """Insert the deliveries that the handler has not had, chunk by chunk.

    Safe to repeat and to interrupt: a delivery is unique per event and handler. Of older events the done deliveries may
    be purged; those up to which the purge has come (events/purge.py) are left out, unless told to begin
    `from_the_beginning`: right for a handler that never ran, and a doubling of old effects for any other.
    Raises NotSubscribed.
    """
    parameters = _parameters(handler_name, from_the_beginning)
    after = FIRST
    while True:
        with no_purge():
            last, looked_at, made = fetch(_BACKFILL, parameters | {"after": after})[0]
        if last is None:
            return
        after = last
        yield Step(looked_at, made)


def _parameters(handler_name: str, from_the_beginning: bool) -> dict[str, Any]:
    found = [(kind.type, h) for kind, hs in the_map().subscriptions.items() for h in hs if h.name == handler_name]
    if not found:
        raise NotSubscribed(f"{handler_name} is subscribed to no event in the map")
    handler = found[0][1]
    return {
        "types": [type_name for type_name, _ in found],
        "handler": handler.name,
        "consumer": handler.consumer,
        "lease": handler.policy.limits.lease,
        "max_attempts": handler.policy.max_attempts,
        "dead_holds": the_map().consumers[handler.consumer].dead_holds,
        "batch": handler.policy.batch,
        "chunk": CHUNK,
        "from_the_beginning": from_the_beginning,
    }


_PAST = f"""type = ANY(%(types)s)
      AND (%(from_the_beginning)s OR time > coalesce({DELIVERIES_PURGED_UNTIL}, '-infinity'))"""
_COUNT = f"SELECT count(*) FROM events_event WHERE {_PAST}"
_BACKFILL = f"""
WITH past AS (
    SELECT id, type, subject, sequence FROM events_event
    WHERE id > %(after)s AND {_PAST}
    ORDER BY id LIMIT %(chunk)s
), new AS (
    SELECT *, %(consumer)s AS consumer, %(handler)s AS handler FROM past
), made AS (
    INSERT INTO events_delivery (
        id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds, max_attempts,
        dead_holds, batch, state, due_at)
    SELECT gen_random_uuid(), id, type, subject, sequence, handler, consumer, consumer, %(lease)s,
           %(max_attempts)s, %(dead_holds)s, %(batch)s, 'pending', CASE WHEN {held_back("new")} THEN NULL ELSE now() END
    FROM new ORDER BY id
    ON CONFLICT (event_id, handler) DO NOTHING
    RETURNING 1
)
SELECT (SELECT id FROM past ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM past), (SELECT count(*) FROM made)
"""
