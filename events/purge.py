"""Deletes what is old enough, in chunks: no lock, no snapshot and no statement is held for long.

Rows that somebody else holds are passed over; the next purge finds them. What is not done is never deleted.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Model, QuerySet

from events.policy import default_limits
from events.sql import bounded_transaction, fetch

CHUNK = 5_000  # rows a transaction


def purge_final(*, older_than_days: int) -> int:
    """Delete deliveries that were done or discarded more than this many days ago; return how many.

    The failed attempts, the decisions and the notes about them go with them. Dead ones wait for a person, however old.
    """
    return sum(_chunks(_PURGE_DONE, older_than_days)) + sum(_chunks(_PURGE_DISCARDED, older_than_days))


def purge_events(*, older_than_days: int) -> int:
    """Delete the events of subjects of which everything is older than this, and every delivery purged; return how many.

    A subject's events go together, so that no timeline is cut. 0 keeps them for ever. They stay at least as long as
    done deliveries, within which a backfill may want them.
    """
    if not older_than_days:
        return 0
    days = max(older_than_days, settings.EVENTS["KEEP_DONE_DAYS"])
    total, after = 0, UUID(int=0)
    while True:
        with bounded_transaction(default_limits()):
            last, deleted = fetch(_PURGE_EVENTS, {"days": days, "chunk": CHUNK, "after": after})[0]
        if last is None:
            return total
        total, after = total + deleted, last


def purge_rows(rows: QuerySet[Any, Any]) -> int:
    """Delete the rows of a query that stand by themselves; return how many."""
    model: type[Model] = rows.model
    total = 0
    while True:
        with bounded_transaction(default_limits()):
            chunk = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:CHUNK])
            model._default_manager.filter(pk__in=chunk).delete()
        total += len(chunk)
        if len(chunk) < CHUNK:
            return total


def _chunks(sql: str, days: int) -> Iterator[int]:
    """Run a purge until a chunk is not full; yield how many rows each deleted."""
    deleted = CHUNK
    while deleted == CHUNK:
        with bounded_transaction(default_limits()):
            deleted = len(fetch(sql, {"days": days, "chunk": CHUNK}))
        yield deleted


def _purge(old: str) -> str:
    return f"""
WITH old AS ({old}
), decisions AS (
    DELETE FROM events_decision USING old WHERE delivery_id = old.id
), failed_attempts AS (
    DELETE FROM events_failedattempt USING old WHERE delivery_id = old.id
), notes AS (
    DELETE FROM events_note USING old WHERE delivery_id = old.id
)
DELETE FROM events_delivery d USING old WHERE d.id = old.id
RETURNING d.id
"""


_PURGE_DONE = _purge("""
    SELECT id FROM events_delivery
    WHERE state = 'done' AND handled_at < now() - make_interval(days => %(days)s)
    ORDER BY handled_at LIMIT %(chunk)s FOR UPDATE SKIP LOCKED""")

# By the decisions, of which there are few: no index has the discarded ones.
_PURGE_DISCARDED = _purge("""
    SELECT id FROM events_delivery
    WHERE id IN (SELECT delivery_id FROM events_decision WHERE action = 'discard')
      AND state = 'discarded' AND handled_at < now() - make_interval(days => %(days)s)
    LIMIT %(chunk)s FOR UPDATE SKIP LOCKED""")

_PURGE_EVENTS = """
WITH next AS (
    SELECT id, subject FROM events_event WHERE id > %(after)s ORDER BY id LIMIT %(chunk)s
), old AS (
    SELECT e.id FROM events_event e JOIN next USING (id)
    WHERE NOT EXISTS (
        SELECT 1 FROM events_event other WHERE other.subject = e.subject AND (
            other.time >= now() - make_interval(days => %(days)s)
            OR EXISTS (SELECT 1 FROM events_delivery d WHERE d.event_id = other.id)))
    ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
), gone AS (
    DELETE FROM events_event e USING old WHERE e.id = old.id RETURNING 1
)
SELECT (SELECT id FROM next ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM gone)
"""
