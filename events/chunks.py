"""Reads many rows in short transactions: a chunk at a time, in the order of a time and an id that never change.

One long query would hold its snapshot for minutes: nothing could be vacuumed meanwhile, and every poll of the relay
would get slower.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from events.policy import default_limits
from events.sql import Row, bounded_transaction, fetch

CHUNK = 5_000  # rows
FIRST = UUID(int=0)  # before every id


def first_id_at(moment: datetime) -> UUID:
    """Return the least id of version 7 that can be made from a moment on (RFC 9562, 5.7)."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


@dataclass(frozen=True)
class Table:
    """A table that is read so: its name, and the column of the time. There is an index of that and `id`."""

    name: str
    moment: str

    def chunk(self, columns: str) -> str:
        """Return the rows of one chunk as a subquery. Its LIMIT has PostgreSQL go by the index, whatever it expects."""
        key = f"({self.moment}, id)"
        return f"""(SELECT id, {self.moment}, {columns} FROM {self.name}
            WHERE {key} > (%(after)s::timestamptz, %(after_id)s::uuid)
              AND {key} <= (%(last)s::timestamptz, %(last_id)s::uuid)
            ORDER BY {self.moment}, id LIMIT {CHUNK})"""

    @property
    def end_of_chunk(self) -> str:
        """Return the query of the key at which a full chunk ends."""
        return f"""SELECT {self.moment}, id FROM {self.name}
            WHERE ({self.moment}, id) > (%(after)s::timestamptz, %(after_id)s::uuid) AND {self.moment} < %(until)s
            ORDER BY {self.moment}, id LIMIT 1 OFFSET {CHUNK - 1}"""


def read(
    table: Table, sql: str, *, since: datetime, until: datetime, **parameters: object
) -> Iterator[tuple[datetime, Sequence[Row]]]:
    """Run `sql`, which reads `table.chunk()`, for each chunk of the rows from `since` on and before `until`.

    Yields the moment up to which rows were read, and what the query returned. With all of it settled
    (events/commit_horizon.py), every row is read once, whatever is written meanwhile.
    """
    after, after_id = since, FIRST
    while True:
        place = {"after": after, "after_id": after_id, "until": until, **parameters}
        with bounded_transaction(default_limits()):
            full = fetch(table.end_of_chunk, place)
            last, last_id = full[0] if full else (until, FIRST)
            rows = fetch(sql, {**place, "last": last, "last_id": last_id})
        yield last, rows
        if not full:
            return
        after, after_id = last, last_id
