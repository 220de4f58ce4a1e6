"""The leg of work alone: deliveries that are handled, from a backlog that waits."""

from functools import partial

from benchmarks.side import DRAMATIQ, ONE_A_MESSAGE, ORDERSITE, PLAIN, Kind, Side, side
from benchmarks.speed.figures import Bar, Leg, middle, ratio
from benchmarks.speed.rounds import Bench, in_turns
from benchmarks.speed.work import PIECES, Work

SLOW_SHARE = 5
"""The slower sides get a fifth of the orders: their rate does not depend on how many wait."""


def backlog(bench: Bench) -> Leg:
    """Deliveries handled a second: ours, ours with one a message, plain Celery, Dramatiq."""
    few = max(300, bench.orders // SLOW_SHARE)
    ways = {
        "ordersite": partial(_measure, bench, ORDERSITE, bench.orders),
        "ordersite, one a message": partial(_measure, bench, ONE_A_MESSAGE, few),
        "plain Celery": partial(_measure, bench, PLAIN, few),
        "Dramatiq": partial(_measure, bench, DRAMATIQ, few),
    }
    found = in_turns(bench, ways)
    ours, single, celery = found["ordersite"], found["ordersite, one a message"], found["plain Celery"]
    bars = [
        Bar("drain ÷ plain Celery, one task a delivery", ratio(ours, celery), 5, 12),
        Bar("drain ÷ Dramatiq (-p 2 -t 8)", ratio(ours, found["Dramatiq"]), 2, 5),
        Bar("one delivery a message ÷ plain Celery", ratio(single, celery), 0.8, 1.0),
    ]
    return Leg([middle("handled", name, rates, "deliveries/s") for name, rates in found.items()], bars)


def _measure(bench: Bench, kind: Kind, orders: int) -> float:
    with side(kind, bench.place, broker=1) as it:
        return fill_and_drain(bench, it, orders)


def fill_and_drain(bench: Bench, it: Side, orders: int) -> float:
    """Accept the orders with all workers off, then start them; return the deliveries a second."""
    how = {"ordersite": "ordersite", "plain Celery": "celery", "Dramatiq": "dramatiq"}[it.kind.name]
    bench.say(f"{it.kind.name}: accepting {orders:,} orders")
    it.run("benchmarks.plain.fill", str(orders), how)
    names = [name for name in it.supervisor.processes if name != "web"]
    work = Work(it)
    it.start(*names)
    rate = work.drain(orders * PIECES, bench.say)
    it.stop(*names)
    return rate
