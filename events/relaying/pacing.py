"""How long the relay lets a queue's deliveries gather before it sends them: so that they share messages.

A message costs Celery, Flower and PostgreSQL about the same, whatever it carries. So the more deliveries come, the
longer they gather; where few come, each goes at once. docs/decisions/0033-linger.md has the figures.
"""

import time
from collections.abc import Callable
from math import exp, inf

from events.subscriptions import the_map

LONGEST = 0.28  # seconds that deliveries gather where very many come
HALF = 15.0  # deliveries a second at which it is half of that
STEEP = 4  # the power by which it follows the rate around there: 3 ms at 5 a second, 46 at 10, 0.21 s at 20
BUSY = 0.25  # seconds at least while there are messages that the workers have not begun
MEMORY = 1.0  # seconds over which the rate is smoothed: two that come at once by chance are no rate


class Pace:
    """Of one queue: when it was last claimed from, and how many deliveries a second come. `clock` gives seconds."""

    def __init__(self, queue: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._clock = clock
        self._last = -inf
        self._rate = 0.0

    def claimed(self, count: int) -> None:
        """Note a claim of so many deliveries, now."""
        now = self._clock()
        elapsed = max(1e-3, now - self._last)
        self._rate += (1 - exp(-elapsed / MEMORY)) * (count / elapsed - self._rate)
        self._last = now

    def next_claim(self, *, busy: bool = False) -> float:
        """Return when the next claim that is not whole may be made, by the clock."""
        consumer = the_map().consumers.get(self._queue)  # the map may not know the queue
        linger = LONGEST * self._rate**STEEP / (self._rate**STEEP + HALF**STEEP)
        least = max(linger, consumer.linger if consumer else 0.0, BUSY if busy else 0.0)
        return self._last + least
