"""Parking: what waits behind a delivery that is dead, or backs off, is out of the relay's sight: it is not due at all.

So a poll costs the same however much is held (docs/decisions/0005-parked-is-no-due-time.md). Parking decides nothing:
whose turn it is, a claim looks up for itself. What parking and waking miss, since they pass locked rows by, the sweep
finds.
"""

from uuid import UUID

from events.sql import execute


def after_death(subject: UUID, consumer: str, sequence: int, handler: str, dead_holds: bool) -> None:
    """Park what a dead delivery holds, or let the next one go on where the dead do not hold."""
    if dead_holds:
        park_held(subject, consumer, sequence, handler)
    else:
        wake_next(subject, consumer)


def park_held(subject: UUID, consumer: str, sequence: int, handler: str) -> None:
    """Take what waits behind this delivery out of the relay's sight, so that polling stays cheap."""
    execute(_PARK, {"subject": subject, "consumer": consumer, "sequence": sequence, "handler": handler})


def wake_next(subject: UUID, consumer: str) -> None:
    """Make the first parked delivery of this subject and consumer due; it wakes the next in its turn."""
    execute(_WAKE, {"subject": subject, "consumer": consumer})


# The conditions on due_at are so written that no index but that of the subject can serve them. A plan that was prepared
# while nothing was parked, or due, would else read the index of all such rows, and go on so when there are very many.

# Only those that wait for their first run: one with a back-off of its own is out of sight already.
_PARK = """
UPDATE events_delivery SET due_at = NULL
WHERE id IN (
    SELECT id FROM events_delivery
    WHERE subject = %(subject)s AND consumer = %(consumer)s AND (sequence, handler) > (%(sequence)s, %(handler)s)
      AND handled_at IS NULL AND state = 'pending' AND coalesce(due_at, 'infinity') <= clock_timestamp()
    FOR NO KEY UPDATE SKIP LOCKED)
"""


def _first_parked(subject: str, consumer: str) -> str:
    """Return the SELECT of the first parked delivery of a subject and consumer, both expressions of SQL."""
    return f"""SELECT d.id FROM events_delivery d
    WHERE d.subject = {subject} AND d.consumer = {consumer}
      AND d.handled_at IS NULL AND d.state = 'pending' AND coalesce(d.due_at, '-infinity') = '-infinity'
    ORDER BY d.sequence, d.handler LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"""


_WAKE = f"UPDATE events_delivery SET due_at = now() WHERE id = ({_first_parked('%(subject)s', '%(consumer)s')})"

# The same as part of a statement, for each (subject, consumer) in its part `finished`.
WOKEN = f"""woken AS (
    UPDATE events_delivery SET due_at = now()
    WHERE id IN (
        SELECT next.id
        FROM finished, LATERAL ({_first_parked("finished.subject", "finished.consumer")}) AS next)
)"""
