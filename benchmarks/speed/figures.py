"""What a leg has found, as plain data that can be kept and shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A measured value: the median of its rounds."""

    what: str
    side: str
    value: float
    unit: str
    rounds: Sequence[float] = ()


@dataclass(frozen=True)
class Bar:
    """A promise: a ratio or a time, what it must reach, and what it aims at. `below`: smaller is better."""

    what: str
    value: float
    bar: float
    aim: float
    below: bool = False
    unit: str = ""

    @property
    def reached(self) -> bool:
        return self.value <= self.bar if self.below else self.value >= self.bar


@dataclass(frozen=True)
class Leg:
    """The figures and the promises of one leg."""

    figures: Sequence[Figure]
    bars: Sequence[Bar] = ()

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> "Leg":
        """Make it of what asdict() gave."""
        return cls([Figure(**figure) for figure in data["figures"]], [Bar(**bar) for bar in data["bars"]])


def middle(what: str, side: str, values: Sequence[float], unit: str) -> Figure:
    """Return the median of some rounds as a figure."""
    return Figure(what, side, median(values), unit, [round(value, 3) for value in values])


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Return the median of the ratios, round by round: what slows one round slows both."""
    return median(a / b for a, b in zip(over, under, strict=True))
