"""The relay: hands due deliveries to Celery. PostgreSQL is the truth, a message is a hint.

Any number of relays may run. Each turn claims what is due (a lease and a token, committed), then sends messages that
carry ids and tokens only. A relay that dies in between costs the lease, nothing else.

It sends no more than there is room for: what is out with the workers *and* what waits in the broker's list are
bounded per queue. The backlog waits in PostgreSQL, where it costs nothing and cannot be lost.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from math import inf

from django.db import Error as DatabaseError
from django.db import connection
from kombu.exceptions import OperationalError as BrokerError

from events import floors
from events.chunks import FIRST
from events.errors import in_one_line, is_database_away
from events.failpoints import failpoint
from events.floors import KeptFloors
from events.relaying import claims, clock_steps, sweeps
from events.relaying.batching import LEAST, bound, claim_size, messages, whole_claim
from events.relaying.claims import Claim, DueQueue, Gap
from events.relaying.sender import Sends
from events.relaying.watchdog import Watchdog
from events.statistics import tally

logger = logging.getLogger(__name__)

POLL = 0.01  # seconds between polls without a backlog: a median of 5 ms until an event is seen
# Seconds from one claim of a queue to the next that is not whole. What comes meanwhile shares messages: so their rate
# has an end, and with it what Celery costs. The first after a quiet while goes at once.
GAP = 0.1
BUSY_GAP = 0.25  # the same, while there are messages that the workers have not begun
NEWEST_EVERY = 4  # one claim in four takes the newest, so that a backlog does not starve the new
SWEEP_EVERY = 1.0  # seconds
MARGIN = 2.0  # seconds that a floor lies back: who publishes in a transaction that is shorter waits for no sweep
COUNT_EVERY = 5.0  # seconds: charts and metrics are so old at most, and a second
GLANCE = 0.1  # seconds from one look to the next, while the relay rests, whether it is told to stop
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0  # seconds without the broker or the database: doubled at each failure


@dataclass
class Pause:
    """The back-off of the relay itself."""

    seconds: float = FIRST_PAUSE

    def next(self) -> float:
        """Return the seconds to wait now, and double them for the next time."""
        now, self.seconds = self.seconds, min(self.seconds * 2, LONGEST_PAUSE)
        return now

    def reset(self) -> None:
        """Start again from the shortest pause."""
        self.seconds = FIRST_PAUSE


class Relay:
    """One relay. run() returns after stop() was called, with nothing claimed and unsent."""

    def __init__(self, sender: Sends) -> None:
        self._sender = sender
        self._stopping = False
        self._pause = Pause()
        self._claims: dict[str, Iterator[int]] = defaultdict(count)  # of each queue, to tell every fourth
        self._last_claim: dict[str, float] = {}  # of each queue, by the monotonic clock
        self._gaps: dict[str, Gap] = {}  # of each queue, since the last sweep
        self._next_sweep = 0.0
        self._next_count = 0.0
        self._parked_from = FIRST
        self._is_database_away = False
        self._away_until: datetime | None = None  # by PostgreSQL's clock
        self._kept_floors = KeptFloors(every=0, margin=MARGIN)
        self._floors = floors.unknown()
        self._watchdog = Watchdog()

    def stop(self) -> None:
        """End run() after the turn at hand. A signal's handler may call it at any point, so it takes no lock.

        Event.set() takes the lock that Event.wait() holds for a moment, in the same thread: the relay then never ended.
        """
        self._stopping = True

    def run(self) -> None:
        """Relay until stop() is called, through every absence of the broker and the database."""
        while not self._stopping:
            try:
                sent = self.turn()
                self._pause.reset()
                self._is_database_away = False
            except (DatabaseError, BrokerError, OSError) as error:
                self._wait_out(error)
                continue
            if sent < LEAST:  # there is no backlog: what comes in the meantime goes in one turn
                self._rest(POLL)
        self._sender.close()

    def turn(self) -> int:
        """Sweep when it is time, then claim and send once for every queue that has something due; return how many."""
        if time.monotonic() >= self._next_sweep:
            self._sweep()
        return sum(self._serve(due) for due in claims.due_queues(self._floors, count_to=whole_claim()))

    def _sweep(self) -> None:
        began = time.monotonic()
        try:
            if self._is_database_away:  # while it is, no attempt begins: those at hand began before this
                self._away_until = sweeps.database_time()
            self._floors = self._kept_floors.get()
            self._gaps = {}
            clock_steps.bring_down_leases(self._floors)
            sweeps.expire_leases(self._floors, away_until=self._away_until)
            self._parked_from = sweeps.wake_missed(after=self._parked_from)
            sweeps.park_missed(self._floors)
            self._watchdog.look(self._floors)  # each turn begins here, so this goes on while the broker is away
            self._count()
        finally:
            now = time.monotonic()
            self._next_sweep = now + max(SWEEP_EVERY, now - began)  # long or failing sweeps leave half the time

    def _count(self) -> None:
        now = time.monotonic()
        if now < self._next_count:
            return
        self._next_count = now + COUNT_EVERY
        clock_steps.bring_down_due(self._floors)  # reads all that backs off, so not every second
        try:
            tally.advance()
            tally.sample(self._floors)
        except DatabaseError as error:  # nobody's delivery waits for a chart; what is away is found out by a claim
            logger.warning("relay: what happened could not be counted: %s", in_one_line(error))

    def _serve(self, due: DueQueue) -> int:
        size = self._room(due)
        if not size:
            return 0
        newest = next(self._claims[due.name]) % NEWEST_EVERY == NEWEST_EVERY - 1
        floor, gap = self._floors[due.name].due, self._gaps.get(due.name, Gap())
        claim = claims.claim(due.name, size, newest=newest, floor=floor, gap=gap)
        if claim is None:
            return 0
        if newest:
            self._gaps[due.name] = gap.after(claim)
        self._last_claim[due.name] = time.monotonic()
        failpoint("relay.claimed")
        self._send(claim)
        failpoint("relay.sent")
        return len(claim.deliveries)

    def _room(self, due: DueQueue) -> int:
        """Return how many deliveries of the queue to claim now; 0 for none."""
        size, most = claim_size(due.name), bound(due.name)
        seconds = self._seconds_since_claim(due.name) if due.due < size else inf  # a whole claim waits for no more
        if due.leased + due.running + size > most or seconds < GAP:
            return 0
        length = self._sender.length(due.name)
        if length > due.leased:
            # Messages that waited for so long that their leases ran out, most likely. They start what they tell of all
            # the same, so what could be sent now are copies of them. But one goes out at a time, lest deliveries wait
            # for ever behind a plain task's messages, should it be those.
            size = 0 if due.leased else 1
        if length + size > most or (length and seconds < BUSY_GAP):
            return 0
        return size

    def _seconds_since_claim(self, queue: str) -> float:
        return time.monotonic() - self._last_claim.get(queue, -inf)

    def _send(self, claim: Claim) -> None:
        unsent = list(messages(claim.deliveries))
        try:
            while unsent:
                self._sender.send(claim, unsent[0])
                unsent.pop(0)
        except (BrokerError, OSError):
            claims.unclaim([delivery for message in unsent for delivery in message])
            raise

    def _rest(self, seconds: float) -> None:
        """Wait for so long, or until stop() is called."""
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, GLANCE))

    def _wait_out(self, error: Exception) -> None:
        pause = self._pause.next()
        logger.warning("relay: %s; trying again in %.1f s", in_one_line(error), pause)
        self._sender.close()
        connection.close()
        if is_database_away(error):
            self._is_database_away = True
            self._next_sweep = 0.0  # the next turn begins with a write: a read-only database may be read from
        self._rest(pause)
