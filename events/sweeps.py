"""What the relay sets right every second: leases that ran out, and parked deliveries that nobody woke."""

import logging
from uuid import UUID

from django.db import transaction

from events import deliveries
from events.deliveries import fetch
from events.sql import EARLIER_UNDONE

logger = logging.getLogger(__name__)

CHUNK = 500  # rows a sweep: a mass of expired leases or parked deliveries is worked off over several seconds
_parked_from = [UUID(int=0)]  # where the next look at parked deliveries begins; it goes round and round


def sweep() -> None:
    """Bring back what was lost with a worker or a message, and wake what no longer has to wait."""
    expire_leases()
    _parked_from[0] = wake_missed(after=_parked_from[0])


def expire_leases() -> int:
    """End the leases that ran out; return how many. With attempts spent in a worker's hands, the delivery is dead.

    A lease whose message nobody started is free: the broker lost it, and no attempt was made.
    """
    with transaction.atomic():
        rows = fetch(_EXPIRE, {"chunk": CHUNK})
        for delivery_id, state, started, *place in rows:
            if state == "dead":
                deliveries.after_death(*place)
            if started:
                logger.warning("%s %s: its worker was lost; it is %s", place[3], delivery_id, state)
    return len(rows)


def wake_missed(*, after: UUID) -> UUID:
    """Wake those of the next parked deliveries that wait for nothing; return where to go on next time."""
    rows = fetch(_PARKED, {"after": after, "chunk": CHUNK})
    if not rows:
        return UUID(int=0)
    fetch(_WAKE_MISSED, {"ids": [row[0] for row in rows]})
    last: UUID = rows[-1][0]
    return last if len(rows) == CHUNK else UUID(int=0)


_EXPIRE = """
WITH expired AS (
    SELECT id, state = 'running' AS started, state = 'running' AND attempts >= max_attempts AS spent
    FROM events_delivery
    WHERE state IN ('leased', 'running') AND lease_until < clock_timestamp()
    ORDER BY id LIMIT %(chunk)s FOR UPDATE SKIP LOCKED
)
UPDATE events_delivery d
SET state = CASE WHEN spent THEN 'dead' ELSE 'pending' END,
    reason = CASE WHEN spent THEN 'worker_lost' ELSE '' END,
    handled_at = CASE WHEN spent THEN clock_timestamp() END,
    error_type = CASE WHEN started THEN 'WorkerLost' ELSE error_type END,
    error_message = CASE WHEN started THEN 'worker ' || worker || ' was lost, frozen or cut off in attempt ' || attempts
                    ELSE error_message END,
    error_traceback = CASE WHEN started THEN '' ELSE error_traceback END,
    token = NULL, lease_until = NULL, due_at = clock_timestamp()
FROM expired WHERE d.id = expired.id
RETURNING d.id, d.state, expired.started, d.subject, d.consumer, d.sequence, d.handler, d.dead_holds
"""

_PARKED = """
SELECT id FROM events_delivery
WHERE state = 'pending' AND due_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(chunk)s
"""

_WAKE_MISSED = f"""
UPDATE events_delivery SET due_at = now()
WHERE id IN (
    SELECT d.id FROM events_delivery d
    WHERE d.id = ANY(%(ids)s) AND d.state = 'pending' AND d.due_at IS NULL AND NOT {EARLIER_UNDONE}
    ORDER BY d.id FOR UPDATE SKIP LOCKED)
RETURNING id
"""
