"""Makes the figures of a day anew from the events, beside the traffic, and puts right what differs.

The handler adds an event to the figures in the transaction that marks its delivery done. So at any commit the figures
are those of the events whose delivery is done, and nothing else: that is what is compared here.

A day's events are first read in chunks, without any lock. Then, for a moment, nobody may write figures: those of the
events that were not done at the first reading and are now, or came after it, are added, and the two are compared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Max, Min
from psycopg.errors import LockNotAvailable

from analytics.days import DAY, midnight
from analytics.models import DailySales
from analytics.services import TRACK, Figures, rows_of
from events.chunks import CHUNK, first_id_at
from events.errors import EventsError
from events.models import PurgeMark
from events.policy import default_limits
from events.purge import DELIVERIES_PURGED_UNTIL, purged_until
from events.sql import Row, bounded_transaction, columns, fetch
from eventtypes.orders import REACHED

_KINDS = {kind.type: kind for kind in REACHED.values()}
LOCK_TIMEOUT = "1s"
CLOCKS = timedelta(hours=2)  # by which the clocks of those who make the ids of events may differ from PostgreSQL's
NEAR = timedelta(minutes=5)  # the same, of events that have just come


class Busy(EventsError):
    """The figures could not be kept still for a moment. Nothing was changed."""


class NotWhole(EventsError):
    """Events of the day are purged (EVENTS_KEEP_DAYS): figures made from the others would be too low."""


@dataclass(frozen=True)
class Difference:
    """A row of figures that was not what the events say. `key` and the sums as the table has them; None: no row."""

    table: str
    key: tuple[Any, ...]
    was: tuple[Any, ...] | None
    is_now: tuple[Any, ...] | None


def first_whole_day() -> date | None:
    """Return the first day of which no event is purged; None where none of any day is."""
    return _day_after(purged_until(PurgeMark.What.EVENTS))


def first_certain_day() -> date | None:
    """Return the first day of which it is known what the handler did with each event; None where it is of every day.

    Of older ones deliveries are purged: which were discarded, and which edited, is forgotten.
    """
    return _day_after(purged_until(PurgeMark.What.DELIVERIES))


def _day_after(moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() + DAY if moment else None


def known_days() -> Sequence[date]:
    """Return the first and the last day that have figures or events, in UTC; nothing where there are none."""
    moments = fetch(_ENDS, {"types": list(_KINDS)})[0]
    of_figures = DailySales.objects.aggregate(first=Min("day"), last=Max("day"))
    days = [*of_figures.values(), *(moment and moment.astimezone(UTC).date() for moment in moments)]
    found = [day for day in days if day]
    return [min(found), max(found)] if found else []


def rebuild(day: date, *, settled: datetime, change: bool = True) -> Sequence[Difference]:
    """Make a day's figures (UTC) anew from its events, and return what differed; without `change` nothing is written.

    All that was written before the moment `settled` must be committed (events/commit_horizon.py). Raises NotWhole.
    """
    if (whole := first_whole_day()) and day < whole:
        raise NotWhole(f"events of {day} are purged (EVENTS_KEEP_DAYS): the first whole day is {whole}")
    begin, end = midnight(day), midnight(day + DAY)
    until = max(begin, min(end, settled))
    figures, left = _read(day, begin, until)
    with bounded_transaction(default_limits()):
        _lock()
        _add(figures, day, _done_since(left))
        if until < end:  # what came later, and is done
            later = {"first": first_id_at(until - NEAR), "until": until, "end": end, **_SHARED}
            _add(figures, day, fetch(_LATER, later))
        return [difference for table in TABLES for difference in table.compare(day, figures, change=change)]


def _lock() -> None:
    """Keep everybody from writing figures until the transaction ends. Raises Busy.

    Whoever writes them waits behind this too, so it waits for a moment only.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        try:
            cursor.execute(_LOCK)
        except DatabaseError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                raise Busy("the figures are being written without a pause; try again") from error
            raise


def _read(day: date, begin: datetime, until: datetime) -> tuple[Figures, list[UUID]]:
    """Return the figures of the events from one moment to another, and the ids of those that are not done."""
    figures, left, after = Figures(), [], first_id_at(begin - CLOCKS)
    parameters = {"begin": begin, "until": until, "last": first_id_at(until + CLOCKS), "chunk": CHUNK, **_SHARED}
    while True:
        with bounded_transaction(default_limits()):
            rows = fetch(_READ, parameters | {"after": after})
        _add(figures, day, (row[1:3] for row in rows if row[3]))
        left += [row[0] for row in rows if row[2] is not None and not row[3]]
        if len(rows) < CHUNK:
            return figures, left
        after = rows[-1][0]


def _done_since(left: Sequence[UUID]) -> Sequence[Row]:
    """Return type and data of the events that were left out and are done by now."""
    return fetch(_DONE_SINCE, {"left": left, **_SHARED}) if left else []


def _add(figures: Figures, day: date, events: Iterable[Row]) -> None:
    for name, data in events:
        figures.add(_KINDS[name].model_validate_json(data), day)


@dataclass(frozen=True)
class Table:
    """A table of figures: the columns of its key after the day, and those of its sums."""

    name: str
    figures: str
    keys: Sequence[str]
    sums: Sequence[str]

    def compare(self, day: date, figures: Figures, *, change: bool) -> Iterator[Difference]:
        """Yield each row that is not what the figures say, and write what they say."""
        names = ["day", *self.keys, *self.sums]
        fields, width = ", ".join(names), 1 + len(self.keys)
        rows = rows_of(getattr(figures, self.figures))
        wanted = _by_key(rows, width)
        found = _by_key(fetch(f"SELECT {fields} FROM {self.name} WHERE day = %(day)s", {"day": day}), width)
        wrong = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
        if wrong and change:
            types = ", ".join(f"%s::{_TYPES.get(name, 'int')}[]" for name in names)
            insert = f"INSERT INTO {self.name} ({fields}) SELECT * FROM unnest({types})"
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {self.name} WHERE day = %s", [day])
                cursor.execute(insert, columns(rows, len(names)))
        for key in wrong:
            yield Difference(self.name, key, found.get(key), wanted.get(key))


def _by_key(rows: Sequence[Row], width: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[:width]: row[width:] for row in rows}


_TYPES = {"day": "date", "sku": "text", "currency": "text", "status": "text", "amount": "numeric"}
TABLES = (
    Table("analytics_dailysales", "orders", ("currency", "status"), ("orders", "amount")),
    Table("analytics_dailyproductsales", "lines", ("sku", "currency", "status"), ("orders", "quantity", "amount")),
)

_SHARED = {"types": list(_KINDS), "handler": TRACK}

# By the ids, which begin with the time. An event counts where its delivery is done, or was and is purged: then the
# purge has come as far. A younger one without a delivery never had one: `events backfill` is for those.
_READ = f"""
SELECT e.id, e.type,
       CASE WHEN e.type = ANY(%(types)s) AND e.time >= %(begin)s AND e.time < %(until)s
            THEN coalesce(d.edited_data, e.data)::text END,
       e.type = ANY(%(types)s) AND e.time >= %(begin)s AND e.time < %(until)s
       AND (d.state = 'done' OR (d.id IS NULL AND e.time <= {DELIVERIES_PURGED_UNTIL}))
FROM (SELECT id, type, time, data FROM events_event WHERE id > %(after)s AND id <= %(last)s
      ORDER BY id LIMIT %(chunk)s) AS e
LEFT JOIN LATERAL (SELECT id, state, edited_data FROM events_delivery
                   WHERE event_id = e.id AND handler = %(handler)s OFFSET 0) AS d ON true
ORDER BY e.id
"""

_LOCK = "LOCK TABLE analytics_dailysales, analytics_dailyproductsales IN SHARE ROW EXCLUSIVE MODE"

_DONE_SINCE = """
SELECT e.type, coalesce(d.edited_data, e.data)::text
FROM events_delivery d JOIN events_event e ON e.id = d.event_id
WHERE d.event_id = ANY(%(left)s) AND d.handler = %(handler)s AND d.state = 'done'
"""

# By the ids, of which only the last few seconds' are read: nobody can write figures meanwhile.
_LATER = """
SELECT e.type, coalesce(d.edited_data, e.data)::text
FROM events_event e JOIN events_delivery d ON d.event_id = e.id AND d.handler = %(handler)s AND d.state = 'done'
WHERE e.id > %(first)s AND e.type = ANY(%(types)s) AND e.time >= %(until)s AND e.time < %(end)s
"""

_ENDS = """
SELECT (SELECT time FROM events_event WHERE type = ANY(%(types)s) ORDER BY id LIMIT 1),
       (SELECT time FROM events_event WHERE type = ANY(%(types)s) ORDER BY id DESC LIMIT 1)
"""
