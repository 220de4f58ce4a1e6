"""The life of a delivery: every change of its state, each one conditional statement. All times are PostgreSQL's.

    pending -> leased -> running -> done | dead;   back to pending by a retry, a lost lease or a replay;
    dead -> discarded.

Every way into `running` makes a new token and every way out clears it; whoever writes must hold the present one. A
write that finds the token gone returns False: somebody else has the delivery by now, and nothing may be done.

Lock order, everywhere: deliveries, domain rows, counters, each sorted. A statement that skips locked rows never waits,
so it needs no order: batches, parking, waking. What parking and waking miss, the sweep finds.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from events.error_text import ErrorText
from events.models import Reason, WaitingFor
from events.parking import WOKEN, after_death, park_held
from events.policy import default_limits
from events.sql import ASYNCHRONOUSLY, Row, bounded_transaction, execute, fetch, may_start, note_failed, state_of


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


def start(delivery_id: UUID, token: UUID, *, worker: str, lease: int) -> Started | None:
    """Begin an attempt: count it, swap the token that was sent for a new one, and take a lease from now.

    `lease`, in seconds, is the handler's as this code has it: its time limits follow from the same. Returns
    None for a message that is stale or a copy: the second of two finds another token and stops here. One that comes
    after its lease, for a delivery that still waits for this very attempt, is no more stale than one sent anew.
    """
    row = _one(
        _START, {"id": delivery_id, "token": token, "new_token": uuid4(), "worker": worker[:100], "lease": lease}
    )
    if row is None:
        return None
    *columns, data, waiting = row
    return Started(*(*columns, json.loads(data), waiting))  # Django leaves jsonb as text


def hold(started: Started) -> bool:
    """Lock the delivery to the end of the transaction; False when this worker has lost it."""
    return _changes(_HOLD, {"id": started.id, "token": started.token})


def finish(started: Started) -> bool:
    """Mark the delivery done and wake the one that it held: one statement, a transaction by itself outside of any."""
    return _one(_FINISH, {"id": started.id, "token": started.token}) is not None


def retry(
    started: Started, *, delay: float, counted: bool, error: ErrorText, waiting_for: WaitingFor | None = None
) -> bool:
    """Give the delivery back, due again in `delay` seconds, and park what it holds.

    Not `counted`: the attempt that start() counted is taken back, and a wait is noted in its place. `waiting_for`
    keeps, or begins, the spell for which it has been waiting; None ends it.
    """
    parameters = {
        "id": started.id,
        "token": started.token,
        "delay": delay,
        "uncounted": 0 if counted else 1,
        "waiting_for": waiting_for or "",
    }
    with bounded_transaction(default_limits()):
        row = _one(_RETRY, parameters | _error(error))
        if row:
            park_held(*row)
        return row is not None


def bury(started: Started, reason: Reason, error: ErrorText) -> bool:
    """Make the delivery a dead letter."""
    with bounded_transaction(default_limits()):
        row = _one(_BURY, {"id": started.id, "token": started.token, "reason": reason} | _error(error))
        if row:
            after_death(*row)
        return row is not None


def set_aside(
    delivery_id: UUID, token: UUID, *, reason: Reason, error: ErrorText, grace: float, delay: float
) -> str | None:
    """Give back, uncounted, a delivery that this code cannot run; after `grace` seconds of that it is dead.

    A deploy in progress is the usual cause. It is due again after half to one and a half times `delay` seconds: of two
    workers that take turns, one of each release, the wrong one would else be given the same deliveries every time.
    Returns the new state, None when the token is gone.
    """
    parameters = {"id": delivery_id, "token": token, "reason": reason, "grace": grace, "delay": delay}
    with bounded_transaction(default_limits()):
        row = _one(_SET_ASIDE, parameters | _error(error))
        if row is None:
            return None
        state, *place = row
        if state == "dead":
            after_death(*place)
        else:
            park_held(*place[:4])
        return str(state)


def _changes(sql: str, parameters: dict[str, Any]) -> bool:
    return execute(sql, parameters) > 0


def _one(sql: str, parameters: dict[str, Any]) -> Row | None:
    rows = fetch(sql, parameters)
    return rows[0] if rows else None


def _error(error: ErrorText) -> dict[str, str]:
    return {
        "error_type": error.type,
        "error_message": error.message,
        "error_traceback": error.traceback,
        "fingerprint": error.fingerprint,
    }


_START = f"""
UPDATE events_delivery d
SET state = 'running', token = %(new_token)s, attempts = d.attempts + 1, worker = %(worker)s,
    lease_seconds = %(lease)s, started_at = clock_timestamp(),
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM events_event e, {ASYNCHRONOUSLY}
WHERE d.id = %(id)s AND e.id = d.event_id AND {may_start("d", "%(token)s")}
RETURNING d.id, d.token, d.attempts, d.waits, d.max_attempts,
          e.id, e.type, e.subject, e.sequence, e.time, e.correlation_id, e.traceparent,
          coalesce(d.edited_data, e.data),
          CASE WHEN d.waiting_for = 'dependency'
               THEN extract(epoch FROM clock_timestamp() - d.waiting_since) ELSE 0 END::float8
"""

_OURS = f"id = %(id)s AND {state_of('events_delivery')} = 'running' AND token = %(token)s"

_HOLD = f"SELECT 1 FROM events_delivery WHERE {_OURS} FOR UPDATE"

_FINISH = f"""
WITH finished AS (
    UPDATE events_delivery
    SET state = 'done', attempts = attempts + CASE WHEN in_batch THEN 1 ELSE 0 END, in_batch = false,
        token = NULL, lease_until = NULL, waiting_since = NULL, waiting_for = '',
        handled_at = clock_timestamp()
    WHERE {_OURS}
    RETURNING subject, consumer
), {WOKEN}
SELECT 1 FROM finished
"""

_SET_ERROR = """error_type = %(error_type)s, error_message = %(error_message)s, error_traceback = %(error_traceback)s,
    fingerprint = %(fingerprint)s"""

_RETRY = f"""
WITH failed AS (
UPDATE events_delivery
SET state = 'pending', token = NULL, lease_until = NULL,
    due_at = clock_timestamp() + make_interval(secs => %(delay)s),
    attempts = attempts - %(uncounted)s, waits = waits + %(uncounted)s,
    waiting_since = CASE WHEN %(waiting_for)s = '' THEN NULL
                    WHEN waiting_for = %(waiting_for)s THEN least(waiting_since, clock_timestamp())
                    ELSE clock_timestamp() END,
    waiting_for = %(waiting_for)s,
    {_SET_ERROR}
WHERE {_OURS}
RETURNING *
), noted AS ({note_failed("failed", "%(uncounted)s = 0")})
SELECT subject, consumer, sequence, handler FROM failed
"""

_BURY = f"""
WITH failed AS (
UPDATE events_delivery
SET state = 'dead', token = NULL, lease_until = NULL, handled_at = clock_timestamp(), reason = %(reason)s, {_SET_ERROR}
WHERE {_OURS}
RETURNING *
), noted AS ({note_failed("failed")})
SELECT subject, consumer, sequence, handler, dead_holds FROM failed
"""

_SET_ASIDE = f"""
UPDATE events_delivery d
SET state = CASE WHEN overdue THEN 'dead' ELSE 'pending' END,
    reason = CASE WHEN overdue THEN %(reason)s ELSE '' END,
    handled_at = CASE WHEN overdue THEN clock_timestamp() END,
    due_at = clock_timestamp() + make_interval(secs => %(delay)s * (0.5 + random())),
    attempts = d.attempts - CASE WHEN d.state = 'running' THEN 1 ELSE 0 END,
    waiting_since = CASE WHEN d.waiting_for = 'code' THEN least(d.waiting_since, clock_timestamp())
                    ELSE clock_timestamp() END,
    waiting_for = 'code',
    token = NULL, lease_until = NULL, {_SET_ERROR}
FROM (SELECT id, waiting_for = 'code'
                 AND waiting_since < clock_timestamp() - make_interval(secs => %(grace)s) AS overdue
      FROM events_delivery
      WHERE id = %(id)s AND token = %(token)s FOR UPDATE) AS mine
WHERE d.id = mine.id
RETURNING d.state, d.subject, d.consumer, d.sequence, d.handler, d.dead_holds
"""
