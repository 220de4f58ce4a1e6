"""What is written of a delivery that failed: due again later, a dead letter, or set aside until this code knows it.

Each is one conditional statement, as in deliveries.py: it returns nothing where the token is gone.
"""

from typing import Any
from uuid import UUID

from events.error_text import ErrorText
from events.handling.deliveries import Started
from events.models import Reason, WaitingFor
from events.parking import after_death, park_held
from events.policy import default_limits
from events.sql import Row, bounded_transaction, fetch, note_failed, state_of


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


_OURS = f"id = %(id)s AND {state_of('events_delivery')} = 'running' AND token = %(token)s"

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
      WHERE id = %(id)s AND token = %(token)s FOR NO KEY UPDATE) AS mine
WHERE d.id = mine.id
RETURNING d.state, d.subject, d.consumer, d.sequence, d.handler, d.dead_holds
"""
