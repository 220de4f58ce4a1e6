"""How often something happened in the present window: the question behind every limit."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

from django.conf import settings

from rest.limits.counters import PREFIX, Slot, counters


@dataclass(frozen=True)
class Limit:
    """So many times in so many seconds; a quota of 0 is no limit. The name is told to clients."""

    name: str
    quota: int
    window: int


@dataclass(frozen=True)
class Standing:
    """How somebody stands with a limit: times used, this one among them, and seconds until the next window."""

    limit: Limit
    used: int
    reset: float

    @property
    def exceeded(self) -> bool:
        """Tell whether this time is one too many."""
        return 0 < self.limit.quota < self.used

    @property
    def remaining(self) -> int:
        return max(0, self.limit.quota - self.used)

    @property
    def seconds(self) -> int:
        """Return the whole seconds after which it is worth trying again."""
        return max(1, math.ceil(self.reset))


Asked = tuple[Limit, str]
"""A limit, and who or what is counted under it."""


def limit(name: str) -> Limit:
    """Return a limit of the settings."""
    return Limit(name, *settings.RATE_LIMITS[name])


def by_place(prefix: str, address: str, network: str | None) -> list[Asked]:
    """Return the limits on an address, and on the network around it where there is one; the prefix may be empty."""
    asked: list[Asked] = [(limit(f"{prefix}address"), address)]
    return asked + ([(limit(f"{prefix}network"), network)] if network else [])


def count(*asked: Asked) -> list[Standing]:
    """Count this time under each limit; return how each stands. It never raises and never waits for long."""
    return _standings(asked, counters.add, more=0)


def look(*asked: Asked) -> list[Standing]:
    """Return how each would stand with this time, and count nothing."""
    return _standings(asked, counters.read, more=1)


def _standings(asked: Sequence[Asked], ask: Callable[[list[Slot]], list[int]], more: int) -> list[Standing]:
    now = time.time()
    slots = {which: _slot(*which, now) for which in asked if which[0].quota > 0}
    used = dict(zip(slots, ask(list(slots.values())), strict=True)) if slots else {}
    return [
        Standing(which[0], used[which] + more, slots[which].seconds) if which in slots else Standing(which[0], 0, 0)
        for which in asked
    ]


def _slot(which: Limit, who: str, now: float) -> Slot:
    """Return where to count. Windows begin at another moment for each who: else all would come back at once."""
    name = f"{which.name}:{who}"
    number, passed = divmod(now + crc32(name.encode()) % which.window, which.window)
    return Slot(f"{PREFIX}{name}:{number:.0f}", which.window - passed)
