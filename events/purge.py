"""Deletes done deliveries that are old enough, in chunks, so that no lock and no snapshot is held for long."""

from events.sql import fetch

CHUNK = 5_000  # rows a transaction


def purge_done(*, older_than_days: int) -> int:
    """Delete done deliveries handled more than this many days ago; return how many.

    Events stay as long as what they tell of; a delivery that is not final is never deleted.
    """
    total = 0
    while True:
        deleted = len(fetch(_PURGE, {"days": older_than_days, "chunk": CHUNK}))
        total += deleted
        if deleted < CHUNK:
            return total


_PURGE = """
WITH old AS (
    SELECT id FROM events_delivery
    WHERE state = 'done' AND handled_at < now() - make_interval(days => %(days)s)
    ORDER BY handled_at LIMIT %(chunk)s FOR UPDATE SKIP LOCKED
), decisions AS (
    DELETE FROM events_decision USING old WHERE delivery_id = old.id
), failed_attempts AS (
    DELETE FROM events_failedattempt USING old WHERE delivery_id = old.id
)
DELETE FROM events_delivery d USING old WHERE d.id = old.id
RETURNING d.id
"""
