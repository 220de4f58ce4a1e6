"""What the relay sets right every second: leases that ran out, and parking that was missed either way."""

import logging
from collections import Counter
from uuid import UUID

from events import parking, tally
from events.claims import due_queues
from events.correlation import correlated
from events.error_text import fingerprint
from events.policy import default_limits
from events.sql import bounded_transaction, earlier_undone, fetch, held_back, note_failed, state_of

logger = logging.getLogger(__name__)

EXPIRED = 500  # rows a sweep: a mass of expired leases is worked off over several seconds
PARKED = 1_000  # rows a sweep looks at, round and round: 12 ms of each second
DUE = 200  # rows a queue and sweep: what is due and held back sits among the oldest
FIRST = UUID(int=0)
WORKER_LOST = "WorkerLost"  # what stands as the error's type of an attempt that nobody ended


def expire_leases() -> int:
    """End the leases that ran out; return how many. With attempts spent in a worker's hands, the delivery is dead.

    A batch that was lost counts for none of its members, each at its first run: they are sent alone from now on.
    A lease whose message nobody started is free: the broker lost it, and no attempt was made. An attempt that was
    cut off by a restart of PostgreSQL is not counted either: the handler did nothing wrong.
    """
    with bounded_transaction(default_limits()):
        rows = fetch(_EXPIRE, {"chunk": EXPIRED, "fingerprint": fingerprint(WORKER_LOST)})
        expired: Counter[str] = Counter()
        for delivery_id, state, started, correlation_id, *place in rows:
            expired[place[3]] += 1
            if state == "dead":
                parking.after_death(*place)
            if started:
                with correlated(correlation_id):
                    _tell_lost(delivery_id, state, place[3])
        tally.note_expired(expired)
    return len(rows)


def _tell_lost(delivery_id: UUID, state: str, handler: str) -> None:
    fields = {"handler": handler, "delivery": delivery_id, "outcome": "lost"}
    logger.warning("%s %s: its worker was lost; it is %s", handler, delivery_id, state, extra=fields)


def wake_missed(*, after: UUID) -> UUID:
    """Wake those of the next parked deliveries that wait for nothing; return where to go on next time."""
    with bounded_transaction(default_limits()):
        rows = fetch(_PARKED, {"after": after, "chunk": PARKED})
        if not rows:
            return FIRST
        fetch(_WAKE_MISSED, {"ids": [row[0] for row in rows]})
    last: UUID = rows[-1][0]
    return last if len(rows) == PARKED else FIRST


def park_missed() -> int:
    """Park what is due but held back by a dead, parked or backing-off delivery; return how many.

    Such a row is left where publishing and a failure cross: neither saw the other's rows.
    """
    with bounded_transaction(default_limits()):
        return sum(len(fetch(_PARK_MISSED, {"queue": due.name, "chunk": DUE})) for due in due_queues())


_EXPIRE = f"""
WITH expired AS (
    SELECT id, state = 'running' AS started,
           state = 'running'
               AND lease_until - make_interval(secs => lease_seconds) < pg_postmaster_start_time() AS cut_off,
           attempts >= max_attempts AS spent, in_batch
    FROM events_delivery
    WHERE state IN ('leased', 'running') AND lease_until < clock_timestamp()
    ORDER BY id LIMIT %(chunk)s FOR UPDATE SKIP LOCKED
), fate AS (
    SELECT id, started, cut_off, started AND NOT cut_off AND NOT in_batch AS counted,
           started AND spent AND NOT cut_off AS dies FROM expired
), changed AS (
UPDATE events_delivery d
SET state = CASE WHEN dies THEN 'dead' ELSE 'pending' END,
    reason = CASE WHEN dies THEN 'worker_lost' ELSE '' END,
    handled_at = CASE WHEN dies THEN clock_timestamp() END,
    attempts = attempts - CASE WHEN cut_off AND NOT in_batch THEN 1 ELSE 0 END,
    waits = waits + CASE WHEN cut_off AND NOT in_batch THEN 1 ELSE 0 END,
    batch = CASE WHEN in_batch THEN 1 ELSE batch END, in_batch = false,
    error_type = CASE WHEN started THEN '{WORKER_LOST}' ELSE error_type END,
    error_message = CASE WHEN started THEN 'worker ' || worker || ' was lost, frozen or cut off in attempt ' || attempts
                    ELSE error_message END,
    error_traceback = CASE WHEN started THEN '' ELSE error_traceback END,
    fingerprint = CASE WHEN started THEN %(fingerprint)s ELSE fingerprint END,
    token = NULL, lease_until = NULL, due_at = CASE WHEN started THEN clock_timestamp() ELSE due_at END
FROM fate WHERE d.id = fate.id
RETURNING d.*, fate.started, fate.counted
), noted AS ({note_failed("changed", "counted")})
SELECT id, state, started, (SELECT e.correlation_id FROM events_event e WHERE e.id = changed.event_id),
       subject, consumer, sequence, handler, dead_holds
FROM changed
"""

_PARKED = """
SELECT id FROM events_delivery
WHERE state = 'pending' AND due_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(chunk)s
"""

_WAKE_MISSED = f"""
UPDATE events_delivery SET due_at = now()
WHERE id IN (
    SELECT d.id FROM events_delivery d
    WHERE d.id = ANY(%(ids)s) AND d.state = 'pending' AND d.due_at IS NULL AND NOT {earlier_undone("d")}
    ORDER BY d.id FOR UPDATE SKIP LOCKED)
RETURNING id
"""

_PARK_MISSED = f"""
WITH oldest AS MATERIALIZED (
    SELECT id FROM events_delivery
    WHERE queue = %(queue)s AND state = 'pending' AND due_at <= now() ORDER BY due_at LIMIT %(chunk)s
), held AS (
    SELECT mine.id FROM (SELECT id FROM oldest ORDER BY id) AS of, LATERAL (
        SELECT d.id FROM events_delivery d
        WHERE d.id = of.id AND {state_of("d")} = 'pending' AND d.due_at IS NOT NULL AND {held_back("d")}
        FOR UPDATE SKIP LOCKED) AS mine
)
UPDATE events_delivery d SET due_at = NULL FROM held WHERE d.id = held.id
RETURNING d.id
"""
