"""Deletes what is old enough, in chunks: no lock, no snapshot and no statement is held for long.

Rows that somebody else holds are passed over; the next purge finds them. What is not done is never deleted.

What was deleted looks as if it had never been. So each chunk writes down how far the purge has come (PurgeMark), in its
own transaction. Whoever must tell the two apart reads that, never the settings: these may have been others before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from events.chunks import FIRST
from events.conf import setting
from events.models import PurgeMark
from events.policy import default_limits
from events.sql import bounded_transaction, execute, fetch

CHUNK = 5_000  # rows a transaction

# For other statements: NULL where no delivery was ever purged.
DELIVERIES_PURGED_UNTIL = "(SELECT until FROM events_purgemark WHERE what = 'deliveries')"


def purged_until(what: PurgeMark.What) -> datetime | None:
    """Return the time of the youngest event of which something of this kind was purged; None where nothing was."""
    return PurgeMark.objects.filter(what=what).values_list("until", flat=True).first()


@contextmanager
def no_purge() -> Iterator[None]:
    """Open a transaction during which nothing is purged, so that what is missing in it was never there, or is marked.

    The purge waits for it between two chunks: keep it short.
    """
    with bounded_transaction(default_limits()):
        execute("LOCK TABLE events_purgemark IN SHARE MODE", {})
        yield


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
    days = max(older_than_days, setting("KEEP_DONE_DAYS"))
    total, after = 0, FIRST
    while True:
        with _a_chunk():
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
        with _a_chunk():
            deleted = len(fetch(sql, {"days": days, "chunk": CHUNK}))
        yield deleted


@contextmanager
def _a_chunk() -> Iterator[None]:
    """Open the transaction of one chunk, alone: no other purge, and nobody in no_purge().

    The lock comes before those of the rows, as everywhere that it is taken, so that no two wait for each other.
    """
    with bounded_transaction(default_limits()):
        execute("LOCK TABLE events_purgemark IN EXCLUSIVE MODE", {})
        yield


def _mark(what: PurgeMark.What, youngest: str) -> str:
    """Return the statement that moves a mark on to `youngest`, a query of the time of one event, or of none."""
    return f"""INSERT INTO events_purgemark AS mark (what, until)
    SELECT '{what.value}', youngest.time FROM ({youngest}) AS youngest (time) WHERE youngest.time IS NOT NULL
    ON CONFLICT (what) DO UPDATE SET until = greatest(mark.until, EXCLUDED.until)"""


def _purge(old: str) -> str:
    marked = _mark(PurgeMark.What.DELIVERIES, "SELECT max(e.time) FROM old JOIN events_event e ON e.id = old.event_id")
    return f"""
WITH old AS ({old}
), marked AS ({marked}
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
    SELECT id, event_id FROM events_delivery
    WHERE state = 'done' AND handled_at < now() - make_interval(days => %(days)s)
    ORDER BY handled_at LIMIT %(chunk)s FOR UPDATE SKIP LOCKED""")

# By the decisions, of which there are few: no index has the discarded ones.
_PURGE_DISCARDED = _purge("""
    SELECT id, event_id FROM events_delivery
    WHERE id IN (SELECT delivery_id FROM events_decision WHERE action = 'discard')
      AND state = 'discarded' AND handled_at < now() - make_interval(days => %(days)s)
    LIMIT %(chunk)s FOR UPDATE SKIP LOCKED""")

_PURGE_EVENTS = f"""
WITH next AS (
    SELECT id, subject FROM events_event WHERE id > %(after)s ORDER BY id LIMIT %(chunk)s
), old AS (
    SELECT e.id, e.time FROM events_event e JOIN next USING (id)
    WHERE NOT EXISTS (
        SELECT 1 FROM events_event other WHERE other.subject = e.subject AND (
            other.time >= now() - make_interval(days => %(days)s)
            OR EXISTS (SELECT 1 FROM events_delivery d WHERE d.event_id = other.id)))
    ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
), marked AS ({_mark(PurgeMark.What.EVENTS, "SELECT max(time) FROM old")}
), gone AS (
    DELETE FROM events_event e USING old WHERE e.id = old.id RETURNING 1
)
SELECT (SELECT id FROM next ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM gone)
"""
