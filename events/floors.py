"""Where a look begins: before its floor there was nothing when all was last looked through.

While somebody holds an old snapshot (a pg_dump, a standby's feedback), PostgreSQL cannot take the entries of what is
over out of its indexes, and each look would step over all of them again: with 100,000 deliveries handled since, for
tens of milliseconds. So looks that are made often begin at a floor, and only the search for floors reads everything.

A floor decides nothing. What comes to lie below it (a slow commit, a lease that ran out, a clock that stepped back)
waits for the next search. docs/decisions/0027-floors.md
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection

from events.commit_horizon import longest_transaction
from events.policy import default_limits
from events.sql import bounded_transaction, fetch
from events.subscriptions import the_map

logger = logging.getLogger(__name__)

BEGINNING = datetime.min.replace(tzinfo=UTC)
EVERY = 30.0  # seconds for which a process that only reports keeps its floors
LEASES_EVERY = 10.0  # seconds from one search through all leases to the next
SLOW = 0.02  # seconds: a search that took longer is next made beside, by a thread with a connection of its own
REST = 10  # a search that is slow is followed by so many times its time without one
LEASE_MARGIN = 1.0  # seconds; a lease is written and committed at once


@dataclass(frozen=True)
class Floor:
    """Of one queue: no delivery is due before `due`, and no lease ends before `lease`."""

    due: datetime
    lease: datetime


Floors = Mapping[str, Floor]  # by queue


class KeptFloors:
    """The floors that a process keeps; those of due times are searched again after `every` seconds.

    A floor of due times lies `margin` seconds back at least: who publishes in a transaction that is shorter is seen at
    once. A lease begins when it is written, and ends after the shortest of ours at the earliest: so the first one is
    found from the last floor on. All are looked through every LEASES_EVERY seconds: other code may have shorter ones.
    """

    def __init__(self, *, every: float, margin: float) -> None:
        self._due = _KeptSearch(_SEARCH_DUE, every)
        self._leases = _KeptSearch(_SEARCH_LEASES, max(every, LEASES_EVERY))
        self._margin = margin

    def get(self) -> Floors:
        """Return the floor of each queue: those of the map, and any other that has something. Raises DatabaseError."""
        queues = {"queues": list(the_map().consumers)}
        due = self._due.get(queues | {"margin": self._margin})
        shortest = {"shortest": shortest_lease() - LEASE_MARGIN}
        leases = self._leases.get(queues | shortest)
        found = {queue: Floor(due.get(queue, BEGINNING), leases.get(queue, BEGINNING)) for queue in due | leases}
        self._leases.found = leases = dict(fetch(_LATER_LEASES, parameters(found) | shortest))
        return {queue: Floor(floor.due, leases[queue]) for queue, floor in found.items()}

    def forget(self) -> None:
        """Search again at the next look: tests make rows of long ago."""
        for search in (self._due, self._leases):
            search.until = search.took = 0.0


class _KeptSearch:
    """What a search has found, kept until a time of the monotonic clock.

    One that is slow is made beside: the relay serves on meanwhile, by the floors that it has.
    """

    def __init__(self, sql: str, every: float) -> None:
        self._sql, self._every = sql, every
        self.took = 0.0  # seconds, the last time
        self._beside: threading.Thread | None = None
        self.found: dict[str, datetime] = {}
        self.until = 0.0

    def get(self, wanted: dict[str, Any]) -> dict[str, datetime]:
        if time.monotonic() < self.until or (self._beside and self._beside.is_alive()):
            return self.found
        if self.took > SLOW:
            self._beside = threading.Thread(target=self._search_beside, args=[wanted], name="floors", daemon=True)
            self._beside.start()
        else:
            self._search(wanted)
        return self.found

    def _search(self, wanted: dict[str, Any]) -> None:
        began = time.monotonic()
        with bounded_transaction(default_limits()):
            self.found = dict(fetch(self._sql, wanted))
        ended = time.monotonic()
        self.took = ended - began
        self.until = ended + max(self._every, self.took * REST)

    def _search_beside(self, wanted: dict[str, Any]) -> None:
        try:
            self._search(wanted)
        except DatabaseError as error:
            self.took = 0.0  # the next one is made in place, and tells whether the database is away
            logger.warning("the floors could not be searched: %s", str(error).strip())
        finally:
            connection.close()


def shortest_lease() -> float:
    """Return the seconds of the shortest lease that a handler of ours has."""
    handlers = (handler for group in the_map().subscriptions.values() for handler in group)
    return min((handler.policy.limits.lease for handler in handlers), default=default_limits().lease)


def unknown() -> Floors:
    """Return the floors of a process that has not looked yet: there are none, each look reads everything."""
    return {queue: Floor(BEGINNING, BEGINNING) for queue in the_map().consumers}


def known(floors: Floors | None) -> Floors:
    """Return the floors, or those of this moment where none are given: then everything is looked through."""
    return KeptFloors(every=0, margin=0).get() if floors is None else floors


def parameters(floors: Floors) -> dict[str, Any]:
    """Return the floors as the parameters of a statement that reads from FLOORS."""
    return {
        "queues": list(floors),
        "due_floors": [floor.due for floor in floors.values()],
        "lease_floors": [floor.lease for floor in floors.values()],
    }


# For a FROM, with parameters().
FLOORS = """unnest(%(queues)s::text[], %(due_floors)s::timestamptz[], %(lease_floors)s::timestamptz[])
    AS floor (queue, due, lease)"""


def _search(column: str, condition: str, latest: str) -> str:
    """Return the search for the least value of a column in each queue; `latest` where there is none, or a later one.

    One probe of the index for each queue: https://wiki.postgresql.org/wiki/Loose_indexscan
    """
    return f"""
WITH RECURSIVE first AS (
    (SELECT queue, {column} FROM events_delivery WHERE {condition} ORDER BY queue, {column} LIMIT 1)
    UNION ALL
    SELECT following.* FROM first, LATERAL (
        SELECT queue, {column} FROM events_delivery WHERE {condition} AND queue > first.queue
        ORDER BY queue, {column} LIMIT 1) AS following
)
SELECT queue, least({column}, {latest})
FROM unnest(%(queues)s::text[]) AS known (queue) FULL JOIN first USING (queue)
"""


_SEARCH_DUE = _search("due_at", "state = 'pending' AND due_at IS NOT NULL", "now() - make_interval(secs => %(margin)s)")
_SEARCH_LEASES = _search("lease_until", "state IN ('leased', 'running')", "now() + make_interval(secs => %(shortest)s)")

# A clock that stepped back makes leases that end before the floor: those are seen too.
_LATER_LEASES = f"""
SELECT floor.queue, least(first.lease_until, now() + make_interval(secs => %(shortest)s))
FROM {FLOORS} LEFT JOIN LATERAL (
    SELECT d.lease_until FROM events_delivery d
    WHERE d.queue = floor.queue AND d.state IN ('leased', 'running')
      AND d.lease_until >= least(floor.lease, now() + make_interval(secs => %(shortest)s))
    ORDER BY d.lease_until LIMIT 1) AS first ON true
"""

# Those of this process, where it reports how the queues are. They lie back as far as any transaction of ours can: what
# commits is seen. A delivery that comes back with an older due time is seen EVERY seconds later; that is well before it
# is told to be stuck.
kept = KeptFloors(every=EVERY, margin=longest_transaction())
