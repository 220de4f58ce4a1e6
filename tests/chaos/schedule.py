"""Which blow comes when: all of it follows from the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.blows import KINDS, Kind

QUIET_START = 20.0
"""Seconds of calm at the start, for figures to compare with."""

QUIET_END = 15.0
"""Seconds without a new blow at the end."""

BETWEEN = (5.0, 15.0)
"""Seconds from one blow to the next. Each process that is killed costs seconds of the processor to start again."""

APART = 3.0
"""Seconds between two blows on one target: it must be there to be hit."""


@dataclass(frozen=True)
class Planned:
    """A blow that is to come. `at` and `seconds` in seconds; `seed` decides what it chooses."""

    at: float
    seconds: float
    kind: Kind
    seed: int

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind.name}" + (f", for {self.seconds:.1f} s" if self.seconds else "")


def plan(seed: int, seconds: float) -> Sequence[Planned]:
    """Return the blows of a storm of this length, in order: the same for the same seed and length."""
    random = Random(seed)
    free = {kind.target: 0.0 for kind in KINDS}
    planned: list[Planned] = []
    bag: list[Kind] = []
    at = QUIET_START
    while at < seconds - QUIET_END:
        bag = bag or random.sample(KINDS, len(KINDS))  # every kind once, then every kind again
        kind = bag.pop()
        start = max(at, free[kind.target])
        lasts = random.uniform(kind.longest / 3, kind.longest)
        if start + lasts < seconds - QUIET_END / 2:
            planned.append(Planned(start, lasts, kind, random.randrange(2**32)))
            free[kind.target] = start + lasts + APART
        at += random.uniform(*BETWEEN)
    return sorted(planned, key=lambda blow: blow.at)
