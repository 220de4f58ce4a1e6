"""Orders that are placed at a steady rate, and how much of their work is done.

That is read from the rows that the work leaves, which are the same on every side.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from uuid_utils.compat import uuid7

from benchmarks.side import SHELF, Side
from benchmarks.speed import wire
from benchmarks.speed.rounds import Bench, bearers, good
from benchmarks.speed.wire import Run
from local.errors import LocalError

CLIENTS = 32
"""Connections: so many requests may wait before one is sent late."""

OURS = "/api/v1/orders"

PIECES = 6
"""Deliveries, or tasks, of an order that is confirmed: reserved, confirmed, two mails, counted twice."""

UNSEEN = {"lean Celery": 2}
"""Pieces of those that leave no row, by side: they are done with the others."""

LOOK = 0.25
"""Seconds between two looks."""

STANDSTILL = 60.0
"""Seconds without progress after which a drain has failed."""

BEGUN = 0.03
"""Share of the work from which on it is timed: before, the workers start."""

# Ids begin with the time, so what is older is left out by the primary keys, however much it is.
_DONE = """
SELECT (SELECT count(DISTINCT order_id) FROM inventory_reservation WHERE id > %(since)s)
     + (SELECT count(*) FROM orders_statuschange WHERE id > %(since)s AND to_status = 'confirmed')
     + (SELECT count(*) FROM notifications_notification WHERE id > %(since)s AND state = 'sent')
     + (SELECT coalesce(sum(orders), 0) FROM analytics_dailysales)
"""
_PLACED = "SELECT count(*) FROM orders_order WHERE id > %(since)s"


class Work:
    """The work of a side from now on."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.since = uuid7()
        self._before = int(side.sql(_DONE, {"since": self.since})[0][0])

    def done(self) -> int:
        """Return how many pieces of it are done. Those that leave no row are taken to be done as the others are."""
        seen = int(self.side.sql(_DONE, {"since": self.since})[0][0]) - self._before
        return seen * PIECES // (PIECES - UNSEEN.get(self.side.kind.name, 0))

    def drain_placed(self, say: Callable[[str], None]) -> None:
        """Wait until all that follows from the orders placed since is done, those too whose client did not wait."""
        before, placed = -1, 0
        while placed != before:
            time.sleep(LOOK)
            before, placed = placed, self.side.sql(_PLACED, {"since": self.since})[0][0]
        self.drain(placed * PIECES, say)

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


def place(
    it: Side, *, rate: float, seconds: float, path: str = OURS, headers: Sequence[Mapping[str, str]] | None = None
) -> Run:
    """Place so many orders a second for so long; return the answers. Raises LocalError where one was refused."""
    orders = wire.orders(path, list(SHELF), headers or bearers(it))
    return good(wire.steady(it.port, orders, connections=CLIENTS, seconds=seconds, rate=rate))


def place_and_see_through(bench: Bench, it: Side, *, rate: float, seconds: float) -> tuple[Work, Run]:
    """Do so, and wait until all that follows is done."""
    work = Work(it)
    run = place(it, rate=rate, seconds=seconds)
    work.drain(len(run.seconds) * PIECES, bench.say)
    return work, run
