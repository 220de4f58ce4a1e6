"""Changes of the state of many deliveries at once: those of one message, of one handler, under one token.

The counterpart of deliveries.py, with the same rules. A batch counts no attempt: a delivery whose batch fails or is
lost is sent again alone, for good, and only a lone start counts. So what breaks one costs the others nothing.

All pass locked rows by, so that no batch waits for another, nor for a sweep.
"""

import json
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

from events.handling.deliveries import Started
from events.parking import WOKEN
from events.policy import default_limits
from events.sql import ASYNCHRONOUSLY, bounded_transaction, fetch, may_start, state_of


def start_many(sent: Mapping[UUID, UUID], *, worker: str, lease: int) -> list[Started]:
    """Begin a batch, given as the tokens by the deliveries' ids: as deliveries.start(), but no attempt is counted.

    Returns those that this message may start; one that failed in a batch starts in none any more.
    """
    parameters = {"ids": list(sent), "tokens": list(sent.values()), "new_token": uuid4(), "worker": worker[:100]}
    rows = fetch(_START_MANY, parameters | {"lease": lease})
    return [Started(*(*columns, json.loads(data), 0.0)) for *columns, data in rows]


def hold_many(started: Sequence[Started]) -> set[UUID]:
    """Lock these deliveries to the end of the transaction; return the ids of those that this worker still has."""
    return {row[0] for row in fetch(_HOLD_MANY, _which(started))}


def finish_many(started: Sequence[Started]) -> int:
    """Mark these deliveries done, wake those that they held, and return how many were this worker's."""
    return len(fetch(_FINISH_MANY, _which(started)))


def give_back_many(started: Sequence[Started], *, alone: bool) -> int:
    """Give these deliveries back, due at once and uncounted; `alone`: each is to be sent in a message of its own."""
    with bounded_transaction(default_limits()):
        return len(fetch(_GIVE_BACK_MANY, _which(started) | {"alone": alone}))


def renew_many(started: Sequence[Started]) -> bool:
    """Renew the leases from now; False when this worker has lost all of them."""
    return bool(fetch(_RENEW_MANY, _which(started)))


def _which(started: Sequence[Started]) -> dict[str, object]:
    return {"ids": [one.id for one in started], "token": started[0].token}


_OURS = f"""SELECT d.id FROM events_delivery d
    WHERE d.id = ANY(%(ids)s) AND {state_of("d")} = 'running' AND d.token = %(token)s
    FOR UPDATE SKIP LOCKED"""

# Row by row, as in claims.py: with statistics of a while ago PostgreSQL would look through all that is undone.
_START_MANY = f"""
WITH ours AS (
    SELECT mine.id
    FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS sent (id, token), LATERAL (
        SELECT d.id FROM events_delivery d
        WHERE d.id = sent.id AND d.batch > 1 AND {may_start("d", "sent.token")} FOR UPDATE SKIP LOCKED) AS mine
)
UPDATE events_delivery d
SET state = 'running', in_batch = true, token = %(new_token)s, worker = %(worker)s, lease_seconds = %(lease)s,
    started_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM ours, events_event e, {ASYNCHRONOUSLY}
WHERE d.id = ours.id AND e.id = d.event_id
RETURNING d.id, d.token, d.attempts, d.waits, d.max_attempts,
          e.id, e.type, e.subject, e.sequence, e.time, e.correlation_id, e.traceparent,
          coalesce(d.edited_data, e.data)
"""

_HOLD_MANY = _OURS

_FINISH_MANY = f"""
WITH ours AS ({_OURS}), finished AS (
    UPDATE events_delivery d
    SET state = 'done', in_batch = false, attempts = attempts + 1, token = NULL, lease_until = NULL,
        waiting_since = NULL, waiting_for = '', handled_at = clock_timestamp()
    FROM ours WHERE d.id = ours.id
    RETURNING d.subject, d.consumer
), {WOKEN}
SELECT 1 FROM finished
"""

_GIVE_BACK_MANY = f"""
WITH ours AS ({_OURS})
UPDATE events_delivery d
SET state = 'pending', in_batch = false, token = NULL, lease_until = NULL, due_at = clock_timestamp(),
    batch = CASE WHEN %(alone)s THEN 1 ELSE batch END
FROM ours WHERE d.id = ours.id
RETURNING d.id
"""

_RENEW_MANY = f"""
UPDATE events_delivery SET lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
WHERE id = ANY(%(ids)s) AND {state_of("events_delivery")} = 'running' AND token = %(token)s
RETURNING id
"""
