"""Tells in the relay's log of queues that do not move, and of who holds an old snapshot.

Nothing is lost meanwhile, but somebody must see it.
"""

import logging
import time

from events.floors import Floors
from events.statistics import progress, snapshots

logger = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds
REMIND_EVERY = 60.0  # seconds
REMIND_HOLDER_EVERY = 600.0  # seconds: a backup may take hours


class Watchdog:
    """Remembers which queues are stuck, so that it tells of the beginning, of each minute, and of the end."""

    def __init__(self) -> None:
        self._looked = 0.0
        self._told: dict[str, float] = {}  # when each stuck queue was last told of
        self._told_of_holder: dict[str, float] = {}  # when the holder of a snapshot was, by what it is

    def look(self, since: Floors) -> None:
        """Look at all queues, unless that was done just now. Raises DatabaseError."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        self.report(progress.oldest_due(since), now)
        self.report_holder(snapshots.oldest_holder(), now)

    def report(self, ages: dict[str, float], now: float) -> None:
        """Log what has changed. `ages`: seconds for which each queue's first delivery has waited."""
        stuck = {queue: age for queue, age in ages.items() if progress.is_stuck(age)}
        for queue, age in stuck.items():
            if now - self._told.get(queue, -REMIND_EVERY) >= REMIND_EVERY:
                logger.warning("%s does not move: a delivery has been due for %.0f s and nobody started it", queue, age)
                self._told[queue] = now
        for queue in self._told.keys() - stuck.keys():
            logger.info("%s moves again", queue)
            del self._told[queue]

    def report_holder(self, holder: snapshots.Holder | None, now: float) -> None:
        """Log who holds an old snapshot, each REMIND_HOLDER_EVERY seconds, and that nobody does any more."""
        if holder is None:
            if self._told_of_holder:
                logger.info("no old snapshot is held any more")
            self._told_of_holder = {}
            return
        name = f"{holder.kind} {holder.pid} {holder.name}"
        if now - self._told_of_holder.get(name, -REMIND_HOLDER_EVERY) >= REMIND_HOLDER_EVERY:
            logger.warning("%s: vacuum cannot clean up, and PostgreSQL gets slower until it ends", holder)
            self._told_of_holder = {name: now}
