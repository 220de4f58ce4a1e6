"""What the relay sets right every second: leases that ran out, and parking that was missed either way."""

import logging
from collections import Counter
from datetime import datetime
from uuid import UUID

from events import floors, parking
from events.chunks import FIRST
from events.correlation import correlated
from events.error_text import fingerprint
from events.floors import FLOORS, Floors
from events.policy import default_limits
from events.relaying.claims import due_queues
from events.sql import bounded_transaction, earlier_undone, fetch, held_back, note_failed, state_of
from events.statistics import tally

logger = logging.getLogger(__name__)

EXPIRED = 500  # rows a sweep: a mass of expired leases is worked off over several seconds
PARKED = 1_000  # rows a sweep looks at, round and round: 12 ms of each second
DUE = 200  # rows a queue and sweep: what is due and held back sits among the oldest
WORKER_LOST = "WorkerLost"  # what stands as the error's type of an attempt that nobody ended


def database_time() -> datetime:
    """Return PostgreSQL's time. Raises DatabaseError."""
    now: datetime = fetch("SELECT clock_timestamp()", {})[0][0]
    return now


def expire_leases(since: Floors | None = None, *, away_until: datetime | None = None) -> int:
    """End the leases that ran out; return how many. With attempts spent in a worker's hands, the delivery is dead.

    A batch that was lost counts for none of its members, each at its first run: they are sent alone from now on.
    A lease whose message nobody started is free: the broker lost it, and no attempt was made. An attempt that was
    cut off by a restart of PostgreSQL is not counted either: the handler did nothing wrong. Nor is one that began
    before `away_until` (PostgreSQL's time), the last moment at which the database was away or took no writes: its
    worker may have been unable to write down how it ended. (Where the clock has stepped back to before those moments,
    all attempts would seem to have begun before them, so they are counted.)
    """
    with bounded_transaction(default_limits()):
        wanted = {"chunk": EXPIRED, "fingerprint": fingerprint(WORKER_LOST), "away_until": away_until}
        rows = fetch(_EXPIRE, floors.parameters(floors.known(since)) | wanted)
        expired: Counter[str] = Counter()
        for delivery_id, state, started, correlation_id, subject, consumer, sequence, handler, dead_holds in rows:
            expired[handler] += 1
            if state == "dead":
                parking.after_death(subject, consumer, sequence, handler, dead_holds)
            if started:
                fields = {"handler": handler, "delivery": delivery_id, "outcome": "lost"}
                with correlated(correlation_id):
                    logger.warning("%s %s: its worker was lost; it is %s", handler, delivery_id, state, extra=fields)
        tally.note("expired", expired)
    return len(rows)


def wake_missed(*, after: UUID) -> UUID:
    """Wake those of the next parked deliveries that wait for nothing; return where to go on next time."""
    with bounded_transaction(default_limits()):
        rows = fetch(_PARKED, {"after": after, "chunk": PARKED})
        if not rows:
            return FIRST
        fetch(_WAKE_MISSED, {"ids": [row[0] for row in rows]})
    last: UUID = rows[-1][0]
    return last if len(rows) == PARKED else FIRST


def park_missed(since: Floors | None = None) -> int:
    """Park what is due but held back by a dead, parked or backing-off delivery; return how many.

    Such a row is left where publishing and a failure cross: neither saw the other's rows.
    """
    with bounded_transaction(default_limits()):
        known = floors.known(since)
        return sum(
            len(fetch(_PARK_MISSED, {"queue": due.name, "floor": known[due.name].due, "chunk": DUE}))
            for due in due_queues(known)
        )


_EXPIRE = f"""
WITH over AS MATERIALIZED (
    SELECT ended.id
    FROM {FLOORS}, LATERAL (
        SELECT d.id FROM events_delivery d
        WHERE d.queue = floor.queue AND d.state IN ('leased', 'running')
          AND d.lease_until >= floor.lease AND d.lease_until < now()
        ORDER BY d.lease_until LIMIT %(chunk)s) AS ended
), expired AS (
    SELECT mine.*
    FROM (SELECT id FROM over LIMIT %(chunk)s) AS of, LATERAL (
        SELECT d.id, d.state = 'running' AS started,
               d.state = 'running' AND coalesce(d.lease_until - make_interval(secs => d.lease_seconds) < (
                   SELECT max(moment)
                   FROM (VALUES (pg_postmaster_start_time()), (%(away_until)s::timestamptz)) AS away (moment)
                   WHERE moment < clock_timestamp()), false) AS cut_off,
               d.attempts >= d.max_attempts AS spent, d.in_batch
        FROM events_delivery d
        WHERE d.id = of.id AND {state_of("d")} IN ('leased', 'running') AND d.lease_until < clock_timestamp()
        FOR NO KEY UPDATE SKIP LOCKED) AS mine
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
    FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""

_PARK_MISSED = f"""
WITH oldest AS MATERIALIZED (
    SELECT id FROM events_delivery
    WHERE queue = %(queue)s AND state = 'pending' AND due_at >= %(floor)s AND due_at <= now()
    ORDER BY due_at LIMIT %(chunk)s
), held AS (
    SELECT mine.id FROM oldest, LATERAL (
        SELECT d.id FROM events_delivery d
        WHERE d.id = oldest.id AND {state_of("d")} = 'pending' AND d.due_at IS NOT NULL AND {held_back("d")}
        FOR NO KEY UPDATE SKIP LOCKED) AS mine
)
UPDATE events_delivery d SET due_at = NULL FROM held WHERE d.id = held.id
RETURNING d.id
"""
