"""The life of a delivery in a worker: each change is one conditional statement. All times are PostgreSQL's.

    pending -> leased -> running -> done | dead;   back to pending by a retry, a lost lease or a replay;
    dead -> discarded.

What is written of one that failed stands in failures.py.

Every way into `running` makes a new token and every way out clears it; whoever writes must hold the present one. A
write that finds the token gone changes and returns nothing: somebody else has the delivery by now.

A message tells of one delivery or of several, all of one handler. One that came alone counts an attempt, and waits for
who holds its row. Of several none counts: what fails or is lost is sent again alone, for good, so what breaks one costs
the others nothing; and they pass locked rows by, so that no batch waits for another, nor for a sweep.

Lock order, everywhere: deliveries, domain rows, counters, each sorted. A statement that skips locked rows never waits,
so it needs no order: batches, parking, waking. What parking and waking miss, the sweep finds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from events.parking import WOKEN
from events.policy import default_limits
from events.sql import ASYNCHRONOUSLY, bounded_transaction, execute_soon, fetch, may_start, state_of


@dataclass(frozen=True)
class Started:
    """A delivery that this worker holds, and its event."""

    id: UUID
    token: UUID
    attempts: int
    waits: int
    max_attempts: int
    event_id: UUID
    type: str
    subject: UUID
    sequence: int
    time: datetime
    correlation_id: str
    traceparent: str  # of the span of this work, where there is one; else the event's
    data: dict[str, Any]
    waiting: float  # seconds for which it has been waiting for a dependency that is away
    began: float = field(default_factory=monotonic)  # by this process's monotonic clock

    def under(self, context: str) -> "Started":
        """Return the delivery as it is worked on in this context, that of its own span."""
        return self if context == self.traceparent else replace(self, traceparent=context)


def start(sent: Mapping[UUID, UUID], *, worker: str, lease: int) -> list[Started]:
    """Begin the deliveries of a message (tokens by ids): swap each token for a new one, and take a lease from now.

    `lease`, in seconds, is the handler's as this code has it: its time limits follow from the same. Returns those that
    the message may start: none where it is stale or a copy, since the second of two finds another token, and none that
    failed in a batch with others. One that comes after its lease, for a delivery that still waits for this very
    attempt, is no more stale than one sent anew.
    """
    ids, tokens, alone = list(sent), list(sent.values()), len(sent) == 1
    parameters = {
        "id": ids[0],
        "token": tokens[0],
        "ids": ids,
        "tokens": tokens,
        "alone": alone,
        "new_token": uuid4(),
        "worker": worker[:100],
        "lease": lease,
    }
    rows = fetch(_START[alone], parameters)
    return [Started(*(*columns, json.loads(data), waiting)) for *columns, data, waiting in rows]  # jsonb comes as text


def hold(started: Sequence[Started]) -> set[UUID]:
    """Lock these deliveries to the end of the transaction; return the ids of those that this worker still has."""
    return _ids(_HOLD, started)


def finish(started: Sequence[Started]) -> set[UUID]:
    """Mark these deliveries done and wake those that they held; return the ids of those that this worker still had.

    One statement, a transaction by itself outside of any.
    """
    return _ids(_FINISH, started)


def finish_held(started: Sequence[Started]) -> None:
    """finish() for deliveries that hold() has locked in this transaction, so that nobody has taken them: no answer."""
    execute_soon(_FINISH[len(started) == 1], _which(started))


def renew(started: Sequence[Started]) -> bool:
    """Renew the leases from now; False when this worker has lost all of them."""
    return bool(fetch(_RENEW, _which(started)))


def give_back(started: Sequence[Started], *, alone: bool) -> int:
    """Give deliveries of a batch back, due at once; `alone`: each is to be sent in a message of its own."""
    with bounded_transaction(default_limits()):
        return len(fetch(_GIVE_BACK, _which(started) | {"alone": alone}))


def _ids(statements: Mapping[bool, str], started: Sequence[Started]) -> set[UUID]:
    return {row[0] for row in fetch(statements[len(started) == 1], _which(started))}


def _which(started: Sequence[Started]) -> dict[str, object]:
    return {"id": started[0].id, "ids": [one.id for one in started], "token": started[0].token}


# Which deliveries a statement is about, by whether it is one: the part before it, and its condition. One is found by
# its id, and waited for; of several, those that somebody holds are passed by. Row by row, as in claims.py: with
# statistics of a while ago PostgreSQL would look through all that is undone.
_STARTABLE = {
    True: ("", f"WHERE d.id = %(id)s AND e.id = d.event_id AND {may_start('d', '%(token)s')}"),
    False: (
        f"""WITH ours AS (
    SELECT mine.id
    FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS sent (id, token), LATERAL (
        SELECT d.id FROM events_delivery d
        WHERE d.id = sent.id AND d.batch > 1 AND {may_start("d", "sent.token")} FOR NO KEY UPDATE SKIP LOCKED) AS mine
)""",
        ", ours WHERE d.id = ours.id AND e.id = d.event_id",
    ),
}
_RUNNING = f"{state_of('d')} = 'running' AND d.token = %(token)s"
_HOLD = {
    True: f"SELECT d.id FROM events_delivery d WHERE d.id = %(id)s AND {_RUNNING} FOR NO KEY UPDATE",
    False: f"SELECT d.id FROM events_delivery d WHERE d.id = ANY(%(ids)s) AND {_RUNNING} FOR NO KEY UPDATE SKIP LOCKED",
}
_HELD = {
    True: ("", f"WHERE d.id = %(id)s AND {_RUNNING}"),
    False: (f"ours AS ({_HOLD[False]}), ", "FROM ours WHERE d.id = ours.id"),
}

_START = {
    alone: f"""
{before}
UPDATE events_delivery d
SET state = 'running', attempts = d.attempts + %(alone)s::int, in_batch = NOT %(alone)s, token = %(new_token)s,
    worker = %(worker)s, lease_seconds = %(lease)s, started_at = clock_timestamp(),
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM events_event e, {ASYNCHRONOUSLY} {which}
RETURNING d.id, d.token, d.attempts, d.waits, d.max_attempts,
          e.id, e.type, e.subject, e.sequence, e.time, e.correlation_id, e.traceparent,
          coalesce(d.edited_data, e.data),
          CASE WHEN d.waiting_for = 'dependency'
               THEN extract(epoch FROM clock_timestamp() - d.waiting_since) ELSE 0 END::float8
"""
    for alone, (before, which) in _STARTABLE.items()
}

_FINISH = {
    alone: f"""
WITH {before}finished AS (
    UPDATE events_delivery d
    SET state = 'done', attempts = d.attempts + d.in_batch::int, in_batch = false, token = NULL, lease_until = NULL,
        waiting_since = NULL, waiting_for = '', handled_at = clock_timestamp()
    {which}
    RETURNING d.id, d.subject, d.consumer
), {WOKEN}
SELECT id FROM finished
"""
    for alone, (before, which) in _HELD.items()
}

_RENEW = f"""
UPDATE events_delivery d SET lease_until = clock_timestamp() + make_interval(secs => d.lease_seconds)
WHERE d.id = ANY(%(ids)s) AND {_RUNNING}
RETURNING d.id
"""

_GIVE_BACK = f"""
WITH ours AS ({_HOLD[False]})
UPDATE events_delivery d
SET state = 'pending', in_batch = false, token = NULL, lease_until = NULL, due_at = clock_timestamp(),
    batch = CASE WHEN %(alone)s THEN 1 ELSE batch END
FROM ours WHERE d.id = ours.id
RETURNING d.id
"""
