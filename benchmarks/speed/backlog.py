"""The legs of work alone: deliveries that are handled from a backlog that waits, and mails that are sent from one."""

from functools import partial

from benchmarks.kinds import DRAMATIQ, EVERYTHING, LEAN, ONE_A_MESSAGE, PLAIN, Kind
from benchmarks.side import Side, side
from benchmarks.speed.figures import Bar, Leg, middle, ratio
from benchmarks.speed.rounds import Bench, in_turns
from benchmarks.speed.work import PIECES, Work

SLOW_SHARE = 5
"""The slower sides get a fifth of the orders: their rate does not depend on how many wait."""


MAIL_WORKER, MAILS_EACH = "worker-outside", 2
"""Who sends the mails, and how many an order causes."""


def backlog(bench: Bench) -> Leg:
    """Deliveries handled a second: ours with everything running and mails sent, one a message, plain ways."""
    few = max(300, bench.orders // SLOW_SHARE)
    ways = {
        "ordersite, all of it": partial(_measure, bench, EVERYTHING, bench.orders),
        "ordersite, one a message": partial(_measure, bench, ONE_A_MESSAGE, few),
        "leanest Celery": partial(_measure, bench, LEAN, few),
        "plain Celery": partial(_measure, bench, PLAIN, few),
        "Dramatiq": partial(_measure, bench, DRAMATIQ, few),
    }
    found = in_turns(bench, ways)
    ours, single, celery = found["ordersite, all of it"], found["ordersite, one a message"], found["plain Celery"]
    bars = [
        Bar("drain, mails sent ÷ the leanest Celery, which sends none", ratio(ours, found["leanest Celery"]), 3, 6),
        Bar("drain ÷ plain Celery, one task a delivery", ratio(ours, celery), 5, 12),
        Bar("drain ÷ Dramatiq (-p 2 -t 8)", ratio(ours, found["Dramatiq"]), 2, 5),
        Bar("one delivery a message ÷ plain Celery", ratio(single, celery), 0.8, 1.0),
    ]
    return Leg([middle("handled", name, rates, "deliveries/s") for name, rates in found.items()], bars)


def mails(bench: Bench) -> Leg:
    """Mails a second that leave through one mail server, when all else of their orders is done."""
    orders = max(300, bench.orders // SLOW_SHARE)
    rates = []
    for _ in range(bench.rounds):
        with side(EVERYTHING, bench.place, broker=1) as it:
            it.run("benchmarks.plain.fill", str(orders), "ordersite")
            work, last = Work(it), MAIL_WORKER
            it.start(*(name for name in it.supervisor.processes if name != last))
            work.drain(orders * (PIECES - MAILS_EACH), bench.say)
            it.start(last)
            rates.append(work.drain(orders * PIECES, bench.say))
    figure = middle("mails", "ordersite", rates, "mails/s")
    return Leg([figure], [Bar("mails a second, one mail server", figure.value, 900, 1_800)])


def _measure(bench: Bench, kind: Kind, orders: int) -> float:
    with side(kind, bench.place, broker=1) as it:
        return fill_and_drain(bench, it, orders)


def fill_and_drain(bench: Bench, it: Side, orders: int) -> float:
    """Accept the orders with all workers off, then start them; return the deliveries a second."""
    others = {"plain Celery": "celery", "lean Celery": "lean", "Dramatiq": "dramatiq"}
    bench.say(f"{it.kind.name}: accepting {orders:,} orders")
    it.run("benchmarks.plain.fill", str(orders), others.get(it.kind.name, "ordersite"))
    names = [name for name in it.supervisor.processes if name != "web" or it.kind is EVERYTHING]
    work = Work(it)
    it.start(*names)
    rate = work.drain(orders * PIECES, bench.say)
    it.stop(*names)
    return rate
