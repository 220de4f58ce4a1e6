"""How much of the orders' work is done: read from the rows that it leaves, which are the same on every side."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

from benchmarks.speed.requests import LINES
from benchmarks.speed.side import Side
from local.errors import LocalError

PIECES = 6
"""Deliveries, or tasks, of an order that is confirmed: reserved, confirmed, two mails, counted twice."""

LOOK = 0.25
"""Seconds between two looks."""

STANDSTILL = 60.0
"""Seconds without progress after which a drain has failed."""

BEGUN = 0.03
"""Share of the work from which on it is timed: before, the workers start."""

# Ids begin with the time, so what is older is left out by the primary keys, however much it is.
_DONE = f"""
SELECT (SELECT count(*) FROM inventory_reservation WHERE id > %(since)s) / {LINES}
     + (SELECT count(*) FROM orders_statuschange WHERE id > %(since)s AND to_status = 'confirmed')
     + (SELECT count(*) FROM notifications_notification WHERE id > %(since)s AND state = 'sent')
     + (SELECT coalesce(sum(orders), 0) FROM analytics_dailysales)
"""


@dataclass(frozen=True)
class Work:
    """The work of a side from a moment on."""

    side: Side
    since: UUID
    before: int

    @classmethod
    def from_now(cls, side: Side) -> "Work":
        """Return the work that is done from now on."""
        now = uuid7()
        return cls(side, now, _done(side, now))

    def done(self) -> int:
        """Return how many pieces of it are done."""
        return _done(self.side, self.since) - self.before

    def drain(self, pieces: int, say: Callable[[str], None]) -> float:
        """Wait until so many pieces are done; return how many a second, from when 3 % were.

        Raises LocalError where nothing more happens, or where more happened than there was to do.
        """
        begun, first, last, changed = 0.0, 0, 0, time.monotonic()
        while last < pieces:
            time.sleep(LOOK)
            now, seen = time.monotonic(), self.done()
            if seen != last:
                last, changed = seen, now
                say(f"{self.side.kind.name}: {seen:,} of {pieces:,} done")
            if not begun and seen >= BEGUN * pieces:
                begun, first = now, seen
            if now > changed + STANDSTILL:
                raise LocalError(f"{self.side.kind.name}: {seen:,} of {pieces:,} done, and no more for a minute")
        if last > pieces:
            raise LocalError(f"{self.side.kind.name}: {last:,} done where there were {pieces:,}: some was done twice")
        return (last - first) / (changed - begun) if changed > begun else float(pieces)


def _done(side: Side, since: UUID) -> int:
    return int(side.sql(_DONE, {"since": since})[0][0])
