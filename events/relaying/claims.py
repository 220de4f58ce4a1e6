"""Claims due deliveries for sending, and gives back what could not be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from events import floors
from events.floors import BEGINNING, FLOORS, Floors
from events.sql import ASYNCHRONOUSLY, earlier_undone, fetch, sent_token, state_of

# Of the newest, only this many times the claim are looked at: most of a backlog's newest may be held back, and
# looking through all of them would slow every fourth poll.
NEWEST_WINDOW = 8
END = datetime.max.replace(tzinfo=UTC)
GAP_MARGIN = timedelta(seconds=1)  # by which what is newest may come to be seen after what is newer


@dataclass(frozen=True)
class Claimed:
    """A delivery to send. `tries`: how often it ran before, counted or not; `batch`: how many may share a message."""

    id: UUID
    token: UUID
    handler: str
    tries: int
    correlation_id: str
    traceparent: str
    batch: int
    due_at: datetime


@dataclass(frozen=True)
class Claim:
    """Deliveries of one queue that this relay holds, each under its token."""

    queue: str
    deliveries: Sequence[Claimed]


@dataclass(frozen=True)
class Gap:
    """Where claims of the newest have taken everything: between two due times. What is newer than `end` came later.

    With an old snapshot held, each such claim would else step over all that the ones before it took.
    """

    start: datetime = END
    end: datetime = BEGINNING  # no later than the start: there is none yet

    def after(self, claim: Claim) -> "Gap":
        """Return the gap that a claim of the newest leaves."""
        lowest = min(delivery.due_at for delivery in claim.deliveries)
        highest = max(delivery.due_at for delivery in claim.deliveries)
        if self.start < self.end < lowest:  # it has not taken all that came later
            return self
        return Gap(min(self.start, lowest), max(self.end, highest - GAP_MARGIN))

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """Return what is looked at: what was due by the first of these times, or after the second."""
        return (self.start, self.end) if self.start < self.end else (BEGINNING, BEGINNING)


@dataclass(frozen=True)
class DueQueue:
    """A queue that has a delivery due. Of its deliveries, so many are sent and not started, and so many run.

    `due`: how many are due, as far as they were counted.
    """

    name: str
    leased: int
    running: int
    due: int


def due_queues(since: Floors | None = None, *, count_to: int = 1) -> Sequence[DueQueue]:
    """Return each queue that has a delivery due, with how many of its deliveries are out with workers.

    What is due is counted to `count_to`. What lies below the floors is not seen; without floors everything is looked
    through.
    """
    known = floors.parameters(floors.known(since))
    return [DueQueue(*row) for row in fetch(_DUE_QUEUES, known | {"count_to": count_to})]


def claim(
    queue: str, size: int, *, newest: bool = False, floor: datetime = BEGINNING, gap: Gap | None = None
) -> Claim | None:
    """Lease up to `size` due deliveries whose turn it is, the oldest or the newest; None where there is none.

    Those that were due before `floor` are not seen, and among the newest none in the gap.
    """
    gap = gap or Gap()
    where = {"queue": queue, "size": size, "floor": floor}
    if newest:
        where |= dict(zip(("older", "newer"), gap.bounds, strict=True), window=size * NEWEST_WINDOW)
    rows = fetch(_CLAIM_NEWEST if newest else _CLAIM_OLDEST, where)
    return Claim(queue, [Claimed(*row) for row in rows]) if rows else None


def unclaim(unsent: Sequence[Claimed]) -> None:
    """End the leases of deliveries that were not sent. No attempt was counted; they are due as before.

    Where a lease has passed to another relay meanwhile, that one's message still starts the delivery (may_start).
    """
    fetch(_GIVE_BACK, {"ids": [delivery.id for delivery in unsent]})


_DUE_QUEUES = f"""
SELECT queue, leased, running, ready
FROM {FLOORS}, LATERAL (
    SELECT count(*) FILTER (WHERE o.state = 'leased') AS leased, count(*) FILTER (WHERE o.state = 'running') AS running
    FROM events_delivery o
    WHERE o.queue = floor.queue AND o.state IN ('leased', 'running') AND o.lease_until >= floor.lease
) AS out, LATERAL (
    SELECT count(*) AS ready
    FROM (SELECT 1 FROM events_delivery d
          WHERE d.queue = floor.queue AND d.state = 'pending' AND d.due_at >= floor.due AND d.due_at <= now()
          LIMIT %(count_to)s) AS first) AS waiting
WHERE ready > 0
"""

_LEASE = f"""
UPDATE events_delivery d
SET state = 'leased', token = {sent_token("d")},
    lease_until = clock_timestamp() + make_interval(secs => d.lease_seconds)
FROM {ASYNCHRONOUSLY}, chosen JOIN events_event e ON e.id = chosen.event_id
WHERE d.id = chosen.id
RETURNING d.id, d.token, d.handler, d.attempts + d.waits, e.correlation_id, e.traceparent,
          d.batch, d.due_at
"""

_CLAIM_OLDEST = f"""
WITH chosen AS (
    SELECT d.id, d.event_id FROM events_delivery d
    WHERE d.queue = %(queue)s AND d.state = 'pending' AND d.due_at >= %(floor)s AND d.due_at <= now()
      AND NOT {earlier_undone("d")}
    ORDER BY d.due_at LIMIT %(size)s FOR NO KEY UPDATE SKIP LOCKED
)
{_LEASE}
"""

# Row by row from the newest on, until there are enough: so the plan is the same whatever the statistics say. They are
# those of a while ago, and a join of the two may then look through the backlog once for each row of the window.
_CLAIM_NEWEST = f"""
WITH recent AS MATERIALIZED (
    (SELECT id FROM events_delivery
     WHERE queue = %(queue)s AND state = 'pending' AND due_at >= greatest(%(floor)s, %(newer)s) AND due_at <= now()
     ORDER BY due_at DESC LIMIT %(window)s)
    UNION ALL
    (SELECT id FROM events_delivery
     WHERE queue = %(queue)s AND state = 'pending' AND due_at >= %(floor)s AND due_at <= %(older)s
     ORDER BY due_at DESC LIMIT %(window)s)
), chosen AS (
    SELECT mine.id, mine.event_id FROM recent, LATERAL (
        SELECT d.id, d.event_id FROM events_delivery d
        WHERE d.id = recent.id AND {state_of("d")} = 'pending' AND d.due_at <= now() AND NOT {earlier_undone("d")}
        FOR NO KEY UPDATE SKIP LOCKED) AS mine
    LIMIT %(size)s
)
{_LEASE}
"""

_GIVE_BACK = f"""
UPDATE events_delivery SET state = 'pending', token = NULL, lease_until = NULL
WHERE id = ANY(%(ids)s) AND {state_of("events_delivery")} = 'leased'
RETURNING id
"""
