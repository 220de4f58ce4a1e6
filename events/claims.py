"""Claims due deliveries for sending, and gives back what could not be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from events.sql import ASYNCHRONOUSLY, earlier_undone, fetch, sent_token, state_of

# Of the newest, only this many times the claim are looked at: most of a backlog's newest may be held back, and
# looking through all of them would slow every fourth poll.
NEWEST_WINDOW = 8
LOOK = 25  # deliveries that are counted of each queue at a look: enough to know that a whole claim is there


@dataclass(frozen=True)
class Claimed:
    """A delivery to send. `tries`: how often it ran before, counted or not; `batch`: how many may share its message."""

    id: UUID
    token: UUID
    handler: str
    tries: int
    correlation_id: str
    traceparent: str
    batch: int


@dataclass(frozen=True)
class Claim:
    """Deliveries of one queue that this relay holds, each under its token."""

    queue: str
    deliveries: Sequence[Claimed]


@dataclass(frozen=True)
class DueQueue:
    """A queue that has a delivery due. Of its deliveries, so many are sent and not started, and so many run.

    `due`: how many are due, counted to LOOK at most.
    """

    name: str
    leased: int
    running: int
    due: int


def due_queues() -> Sequence[DueQueue]:
    """Return each queue that has a delivery due, with how many of its deliveries are out with workers."""
    return [DueQueue(*row) for row in fetch(_DUE_QUEUES, {})]


def claim(queue: str, size: int, *, newest: bool = False) -> Claim | None:
    """Lease up to `size` due deliveries whose turn it is, the oldest or the newest; None where there is none."""
    sql = _CLAIM_NEWEST if newest else _CLAIM_OLDEST
    rows = fetch(sql, {"queue": queue, "size": size, "window": size * NEWEST_WINDOW})
    return Claim(queue, [Claimed(*row) for row in rows]) if rows else None


def give_back(unsent: Sequence[Claimed]) -> None:
    """End the leases of deliveries that were not sent. No attempt was counted; they are due as before.

    Where a lease has passed to another relay meanwhile, that one's message still starts the delivery (may_start).
    """
    fetch(_GIVE_BACK, {"ids": [delivery.id for delivery in unsent]})


# The queues by one index probe each (a loose index scan), however long the backlog:
# https://wiki.postgresql.org/wiki/Loose_indexscan
_DUE_QUEUES = f"""
WITH RECURSIVE due (queue) AS (
    (SELECT queue FROM events_delivery WHERE state = 'pending' AND due_at IS NOT NULL ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT d.queue FROM events_delivery d
            WHERE d.state = 'pending' AND d.due_at IS NOT NULL AND d.queue > due.queue ORDER BY d.queue LIMIT 1)
    FROM due WHERE due.queue IS NOT NULL
)
SELECT queue, leased, running, ready
FROM due, LATERAL (
    SELECT count(*) FILTER (WHERE o.state = 'leased') AS leased, count(*) FILTER (WHERE o.state = 'running') AS running
    FROM events_delivery o WHERE o.queue = due.queue AND o.state IN ('leased', 'running')) AS out, LATERAL (
    SELECT count(*) AS ready
    FROM (SELECT 1 FROM events_delivery d
          WHERE d.queue = due.queue AND d.state = 'pending' AND d.due_at <= now() LIMIT {LOOK}) AS first) AS waiting
WHERE ready > 0
"""

_LEASE = f"""
UPDATE events_delivery d
SET state = 'leased', token = {sent_token("d")},
    lease_until = clock_timestamp() + make_interval(secs => d.lease_seconds)
FROM {ASYNCHRONOUSLY}, chosen JOIN events_event e ON e.id = chosen.event_id
WHERE d.id = chosen.id
RETURNING d.id, d.token, d.handler, d.attempts + d.waits, e.correlation_id, e.traceparent,
          CASE WHEN d.attempts + d.waits = 0 THEN d.batch ELSE 1 END
"""

_CLAIM_OLDEST = f"""
WITH chosen AS (
    SELECT d.id, d.event_id FROM events_delivery d
    WHERE d.queue = %(queue)s AND d.state = 'pending' AND d.due_at <= now() AND NOT {earlier_undone("d")}
    ORDER BY d.due_at LIMIT %(size)s FOR UPDATE SKIP LOCKED
)
{_LEASE}
"""

# Row by row from the newest on, until there are enough: so the plan is the same whatever the statistics say. They are
# those of a while ago, and a join of the two may then look through the backlog once for each row of the window.
_CLAIM_NEWEST = f"""
WITH recent AS MATERIALIZED (
    SELECT id FROM events_delivery
    WHERE queue = %(queue)s AND state = 'pending' AND due_at <= now() ORDER BY due_at DESC LIMIT %(window)s
), chosen AS (
    SELECT mine.id, mine.event_id FROM recent, LATERAL (
        SELECT d.id, d.event_id FROM events_delivery d
        WHERE d.id = recent.id AND {state_of("d")} = 'pending' AND d.due_at <= now() AND NOT {earlier_undone("d")}
        FOR UPDATE SKIP LOCKED) AS mine
    LIMIT %(size)s
)
{_LEASE}
"""

_GIVE_BACK = """
UPDATE events_delivery SET state = 'pending', token = NULL, lease_until = NULL
WHERE id = ANY(%(ids)s) AND state = 'leased'
RETURNING id
"""
