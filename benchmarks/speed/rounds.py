"""What all legs share: what they are given, measuring in turns, and who asks."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.side import Place, Side
from benchmarks.speed.wire import Run
from local.errors import LocalError
from local.servers import Servers

CONNECTIONS = 16
SECONDS = 6.0
"""Length of a round of requests."""

T = TypeVar("T")


class NotHere(LocalError):
    """A leg cannot be measured on these servers."""


@dataclass(frozen=True)
class Bench:
    """What a leg is given. `servers` is None unless both are ours, which can be stopped and looked into."""

    place: Place
    servers: Servers | None
    rounds: int
    orders: int
    say: Callable[[str], None]


def in_turns(bench: Bench, ways: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Measure each way once a round, one after the other; return the rounds by way."""
    found: defaultdict[str, list[T]] = defaultdict(list)
    for number in range(bench.rounds):
        for name, measure in ways.items():
            where = f"round {number + 1} of {bench.rounds}: {name}"
            bench.say(where)
            value = measure()
            found[name].append(value)
            parts = value if isinstance(value, tuple) else (value,)
            bench.say(f"{where}: {', '.join(f'{part:,.1f}' for part in parts)}")
    return dict(found)


def good(run: Run) -> Run:
    """Return the run. Raises LocalError where anything was refused, or nothing was answered."""
    if run.refused or not run.seconds:
        raise LocalError(f"answers that were not good, by status: {run.refused}; good: {len(run.seconds)}")
    return run


def bearers(it: Side, scheme: str = "Bearer") -> Sequence[Mapping[str, str]]:
    """Return the headers by which each buyer is known."""
    return [{"Authorization": f"{scheme} {token}"} for token in it.tokens]


def people(it: Side) -> Sequence[Mapping[str, str]]:
    """Return the headers by which a bare view, which checks nothing, is told the buyer."""
    return [{"X-User": user} for user in it.users]
