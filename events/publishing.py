"""publish(): writes events and their deliveries in the caller's transaction. Nothing here touches the broker."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from events import correlation, tracing
from events.conf import setting
from events.errors import EventsError
from events.failpoints import failpoint
from events.handlers import Handler, ReceivedEvent
from events.sql import execute_soon, execute_waiting, held_back
from events.subscriptions import the_map
from events.types import EventData, event_type
from events.wakeup import wake_after_commit


class NoTransaction(EventsError):
    """publish() was called outside a transaction: the change and its event could come apart."""


# One statement, one round trip. The counter rows are taken in sorted order and stay locked to the end of the
# transaction, so of two transactions that publish for one subject the one with the lower number commits first.
# (MAX + 1 collides; an identity column may hand out the number that commits later first.)
_PUBLISH = f"""
WITH incoming AS (
    SELECT * FROM jsonb_to_recordset(%(events)s) AS i (
        id uuid, type text, subject uuid, data jsonb, position int, correlation_id text,
        traceparent text)
), counter AS (
    INSERT INTO events_subjectcounter AS c (subject, last)
    SELECT subject, count(*) FROM incoming GROUP BY subject ORDER BY subject
    ON CONFLICT (subject) DO UPDATE SET last = c.last + EXCLUDED.last
    RETURNING subject, last
), event AS (
    INSERT INTO events_event (id, source, type, subject, sequence, time, correlation_id, traceparent, data)
    SELECT i.id, %(source)s, i.type, i.subject,
           counter.last - row_number() OVER (PARTITION BY i.subject ORDER BY i.position DESC) + 1,
           clock_timestamp(), i.correlation_id, i.traceparent, i.data
    FROM incoming i JOIN counter USING (subject)
    RETURNING id, type, subject, sequence
), new AS (
    SELECT d.id, d.handler, d.consumer, d.lease_seconds, d.max_attempts, d.dead_holds, d.batch,
           event.id AS event_id, event.type, event.subject, event.sequence
    FROM jsonb_to_recordset(%(deliveries)s) AS d (
        id uuid, event_id uuid, handler text, consumer text, lease_seconds int, max_attempts int, dead_holds bool,
        batch int
    ) JOIN event ON event.id = d.event_id
)
INSERT INTO events_delivery (
    id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds, max_attempts, dead_holds,
    batch, state, due_at
)
SELECT id, event_id, type, subject, sequence, handler, consumer, consumer, lease_seconds, max_attempts, dead_holds,
       batch, 'pending', CASE WHEN {held_back("new")} THEN NULL ELSE now() END
FROM new
"""


def publish(*events: EventData, causes: Mapping[UUID, ReceivedEvent[Any]] | None = None) -> list[UUID]:
    """Record the events, and one delivery for each of their handlers, in the transaction that is open.

    Events of one subject keep the order in which they are given. `causes`, by subject, are for events that follow from
    several others at once, each with its own request and trace; without them all follow from the work at hand. Returns
    the ids of the events.
    Raises NoTransaction where none is open, and UnknownType for a type that is not registered: no worker could read it.
    """
    if not connection.in_atomic_block:
        raise NoTransaction("publish() needs the transaction of the change that it tells of: use transaction.atomic()")
    at_hand = correlation.current(), tracing.current()
    origins = {subject: (cause.correlation_id, cause.traceparent) for subject, cause in (causes or {}).items()}
    rows = [_event_row(data, position, *origins.get(data.subject, at_hand)) for position, data in enumerate(events)]
    deliveries = [
        _delivery_row(row["id"], handler)
        for row, data in zip(rows, events, strict=True)
        for handler in the_map().handlers(type(data))
    ]
    parameters = {
        "events": Jsonb(rows),
        "deliveries": Jsonb(deliveries),
        "source": setting("SOURCE"),
    }
    execute_soon(_PUBLISH, parameters)
    wake_after_commit({delivery["consumer"] for delivery in deliveries})
    failpoint("publish.uncommitted", reach=execute_waiting)
    return [UUID(row["id"]) for row in rows]


def _event_row(data: EventData, position: int, correlation_id: str, traceparent: str) -> dict[str, Any]:
    return {
        "id": str(uuid7()),
        "type": event_type(data.type).type,
        "subject": str(data.subject),
        "data": data.model_dump(mode="json"),
        "position": position,
        "correlation_id": correlation_id,
        "traceparent": traceparent,
    }


def _delivery_row(event_id: str, handler: Handler) -> dict[str, Any]:
    return {
        "id": str(uuid7()),
        "event_id": event_id,
        "handler": handler.name,
        "consumer": handler.consumer,
        "lease_seconds": handler.policy.limits.lease,
        "max_attempts": handler.policy.max_attempts,
        "dead_holds": the_map().consumers[handler.consumer].dead_holds,
        "batch": handler.policy.batch,
    }
