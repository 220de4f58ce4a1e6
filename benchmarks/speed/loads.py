"""Orders at a steady rate, as all legs on a whole running system place them."""

from collections.abc import Mapping, Sequence

from benchmarks.speed import requests, wire
from benchmarks.speed.rounds import Bench, bearers, good
from benchmarks.speed.side import SHELF, Side
from benchmarks.speed.wire import Run
from benchmarks.speed.work import PIECES, Work

CLIENTS = 32
"""Connections: so many requests may wait before one is sent late."""

OURS = "/api/v1/orders"


def place(
    it: Side, *, rate: float, seconds: float, path: str = OURS, headers: Sequence[Mapping[str, str]] | None = None
) -> Run:
    """Place so many orders a second for so long; return the answers. Raises LocalError where one was refused."""
    orders = requests.orders(path, list(SHELF), headers or bearers(it))
    return good(wire.steady(it.port, orders, connections=CLIENTS, seconds=seconds, rate=rate))


def place_and_see_through(bench: Bench, it: Side, *, rate: float, seconds: float) -> tuple[Work, Run]:
    """Do so, and wait until all that follows is done."""
    work = Work.from_now(it)
    run = place(it, rate=rate, seconds=seconds)
    work.drain(len(run.seconds) * PIECES, bench.say)
    return work, run
