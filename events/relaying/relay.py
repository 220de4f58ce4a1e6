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
from events.relaying.pacing import Pace
from events.relaying.sender import Sends
from events.relaying.waiting import SOON, Waiting
from events.relaying.watchdog import Watchdog
from events.statistics import tally

logger = logging.getLogger(__name__)

NEWEST_EVERY = 4  # one claim in four takes the newest, so that a backlog does not starve the new
SWEEP_EVERY = 1.0  # seconds
MARGIN = 2.0  # seconds that a floor lies back: who publishes in a transaction that is shorter waits for no sweep
COUNT_EVERY = 5.0  # seconds: charts and metrics are so old at most, and a second
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
        self._paces: dict[str, Pace] = {}  # of each queue
        self._not_before: dict[str, float] = {}  # of each queue that could not be claimed from, when it may be
        self._gaps: dict[str, Gap] = {}  # of each queue, since the last sweep
        self._next_sweep = 0.0
        self._next_count = 0.0
        self._parked_from = FIRST
        self._is_database_away = False
        self._away_until: datetime | None = None  # by PostgreSQL's clock
        self._kept_floors = KeptFloors(every=0, margin=MARGIN)
        self._floors = floors.unknown()
        self._watchdog = Watchdog()
        self._waiting = Waiting(lambda: self._stopping, self._next_look)

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
                if sent < LEAST:  # there is no backlog: what comes in the meantime goes in one turn
                    self._waiting.rest()
            except (DatabaseError, BrokerError, OSError) as error:
                self._wait_out(error)
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
            self._listen()
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

    def _listen(self) -> None:
        """Listen for hints, without which the relay goes on all the same."""
        try:
            self._waiting.listen()
        except DatabaseError as error:
            if is_database_away(error):
                raise
            logger.warning("relay: it hears no hints: %s", in_one_line(error))

    def _serve(self, due: DueQueue) -> int:
        size = self._room(due)
        if not size:
            return 0
        newest = next(self._claims[due.name]) % NEWEST_EVERY == NEWEST_EVERY - 1
        floor, gap = self._floors[due.name].due, self._gaps.get(due.name, Gap())
        claim = claims.claim(due.name, size, newest=newest, floor=floor, gap=gap)
        if not claim or len(claim.deliveries) < due.due:
            self._waiting.look_at(time.monotonic() + SOON)
        if not claim:
            return 0
        self._not_before.pop(due.name, None)
        if newest:
            self._gaps[due.name] = gap.after(claim)
        self._pace(due.name).claimed(len(claim.deliveries))
        failpoint("relay.claimed")
        self._send(claim)
        failpoint("relay.sent")
        return len(claim.deliveries)

    def _room(self, due: DueQueue) -> int:
        """Return how many deliveries of the queue to claim now; 0 for none, and then look again when there may be."""
        size, most, now = claim_size(due.name), bound(due.name), time.monotonic()
        few = due.due < size  # a whole claim waits for no more
        if due.leased + due.running + size > most:
            return self._wait_until(due.name, now + SOON)
        if few and (moment := self._pace(due.name).next_claim()) > now:
            return self._wait_until(due.name, moment)
        length = self._sender.length(due.name)
        if length > due.leased:
            # Messages that waited for so long that their leases ran out, most likely. They start what they tell of all
            # the same, so what could be sent now are copies of them. But one goes out at a time, lest deliveries wait
            # for ever behind a plain task's messages, should it be those.
            size = 0 if due.leased else 1
        if not size or length + size > most:
            return self._wait_until(due.name, now + SOON)
        if few and length and (moment := self._pace(due.name).next_claim(busy=True)) > now:
            return self._wait_until(due.name, moment)
        return size

    def _wait_until(self, queue: str, moment: float) -> int:
        """Have nothing of the queue claimed now, and look again at this moment."""
        self._not_before[queue] = moment
        self._waiting.look_at(moment)
        return 0

    def _next_look(self, queue: str) -> float:
        """Return when a queue that has something new may be claimed from."""
        return max(self._pace(queue).next_claim(), self._not_before.get(queue, -inf))

    def _pace(self, queue: str) -> Pace:
        return self._paces.setdefault(queue, Pace(queue))

    def _send(self, claim: Claim) -> None:
        unsent = list(messages(claim.deliveries))
        try:
            while unsent:
                self._sender.send(claim, unsent[0])
                unsent.pop(0)
        except (BrokerError, OSError):
            claims.unclaim([delivery for message in unsent for delivery in message])
            raise

    def _wait_out(self, error: Exception) -> None:
        pause = self._pause.next()
        logger.warning("relay: %s; trying again in %.1f s", in_one_line(error), pause)
        self._sender.close()
        connection.close()
        if is_database_away(error):
            self._is_database_away = True
            self._next_sweep = 0.0  # the next turn begins with a write: a read-only database may be read from
        self._waiting.pause(pause)
