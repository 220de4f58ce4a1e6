"""The legs on a whole running system: what it sustains, how soon it is done, and what an absent broker costs.

What is watched is what a customer sees who asks for their order until it is confirmed.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

from benchmarks.kinds import EVERYTHING, ORDERSITE, PLAIN
from benchmarks.side import Side, side
from benchmarks.speed.figures import Bar, Figure, Leg, middle, ratio
from benchmarks.speed.rounds import Bench, NotHere, bearers, in_turns
from benchmarks.speed.watch import watched
from benchmarks.speed.wire import Run
from benchmarks.speed.work import OURS, PIECES, Work, place, place_and_see_through
from local.errors import LocalError

SUSTAINED_SECONDS = 20.0
FIRST_RATE = 20.0
STEPS = (1.5, 1.12)
"""By what the rate is raised until it is too high: coarsely first, then finely from the last that was not."""
BEHIND = 2.0
"""Seconds' worth of deliveries that may be undone when a load ends: more, and the backlog grows."""

ANSWER_MS = 250.0
"""Milliseconds within which 99 of 100 answers must come, of ours; the plain design's may take longer."""

REST_RATE, REST_SECONDS = 5.0, 40.0
WATCHED_AT = {5.0: ((55.0, 30.0), (100.0, 80.0)), 80.0: ((300.0, 150.0), (800.0, 400.0))}
"""Orders a second, and what p50 and p99 must be and are aimed to be, in milliseconds."""
AWAY_RATE, AWAY_SECONDS = 20.0, 15.0

WAITS = """
SELECT extract(epoch FROM confirmed.at - o.created_at)::float8 AS seconds
FROM orders_order o JOIN orders_statuschange confirmed ON confirmed.order_id = o.id AND to_status = 'confirmed'
WHERE o.id > %(since)s ORDER BY 1
"""

CONFIRMED = """
SELECT extract(epoch FROM d.handled_at - o.created_at)::float8 AS seconds
FROM orders_order o JOIN events_delivery d ON d.subject = o.id AND d.handler = 'orders.confirm'
WHERE o.id > %(since)s ORDER BY 1
"""

STARTS = """
SELECT extract(epoch FROM d.started_at - e.time)::float8 AS seconds
FROM events_delivery d JOIN events_event e ON e.id = d.event_id
WHERE d.id > %(since)s AND d.handler IN ('inventory.reserve_items', 'orders.confirm') ORDER BY 1
"""


def sustained(bench: Bench) -> Leg:
    """Orders a second that are accepted and handled for as long as one likes, ours and the plain design's."""
    found = {}
    with side(EVERYTHING, bench.place, broker=1) as ours:
        found["ordersite"] = _highest(bench, ours, OURS, bearers(ours))
    with side(PLAIN, bench.place, broker=2) as plain:
        found["plain DRF, ORM and Celery"] = _highest(bench, plain, "/api/orders/", bearers(plain, "Token"))
    figures = []
    for name, (rate, run, waits) in found.items():
        figures += [
            Figure("sustained", name, rate, "orders/s"),
            Figure("answer p50", name, run.percentile(0.5), "ms"),
            Figure("answer p99", name, run.percentile(0.99), "ms"),
            Figure("placed → confirmed p50", name, waits.percentile(0.5), "ms"),
            Figure("placed → confirmed p99", name, waits.percentile(0.99), "ms"),
        ]
    times = found["ordersite"][0] / found["plain DRF, ORM and Celery"][0]
    bars = [
        Bar("sustained orders/s, mails sent", found["ordersite"][0], 180, 250),
        Bar("sustained orders/s ÷ the plain design's, which sends none", times, 2.5, 5),
    ]
    return Leg(figures, bars)


def _highest(bench: Bench, it: Side, path: str, headers: Sequence[Mapping[str, str]]) -> tuple[float, Run, Run]:
    """Raise the rate until the backlog grows; return the last that was sustained, its answers and its waits."""
    it.start()
    best = None
    for step in STEPS:
        rate = best[0] * step if best else FIRST_RATE
        while at := _sustains(bench, it, path, headers, rate) or _sustains(bench, it, path, headers, rate):
            best = (rate, *at)
            rate *= step
    it.stop()
    if best is None:
        raise LocalError(f"{it.kind.name} does not sustain {FIRST_RATE:g} orders a second")
    return best


def _sustains(
    bench: Bench, it: Side, path: str, headers: Sequence[Mapping[str, str]], rate: float
) -> tuple[Run, Run] | None:
    """Load it at this rate; return the answers and the waits, or None where it falls behind."""
    work = Work(it)
    run = place(it, rate=rate, seconds=SUSTAINED_SECONDS, path=path, headers=headers)
    behind = len(run.seconds) * PIECES - work.done()
    late = run.took - SUSTAINED_SECONDS
    slow = it.kind is EVERYTHING and run.percentile(0.99) > ANSWER_MS
    fine = behind <= BEHIND * rate * PIECES and late < 1 and not slow
    bench.say(
        f"{it.kind.name}: {rate:.0f} orders/s, {behind:,} deliveries behind, {'sustained' if fine else 'too many'}"
    )
    work.drain(len(run.seconds) * PIECES, bench.say)
    return (run, _seen(it, WAITS, work)) if fine else None


def _seen(it: Side, query: str, work: Work) -> Run:
    return Run([row[0] for row in it.sql(query, {"since": work.since})])


def latency(bench: Bench) -> Leg:
    """How soon a customer sees their order confirmed: at 5 orders a second, and at 80, of which 5 are watched."""
    with side(EVERYTHING, bench.place, broker=1) as it:
        it.start()
        place_and_see_through(bench, it, rate=REST_RATE, seconds=5)  # warm
        ways = {f"at {rate:g} orders/s": partial(_watched, bench, it, rate) for rate in WATCHED_AT}
        found = in_turns(bench, ways)
        of_rows = _calm(bench, it, rate=REST_RATE, seconds=REST_SECONDS)
    figures, bars = [], []
    for (name, rounds), limits in zip(found.items(), WATCHED_AT.values(), strict=True):
        for what, at, (bar, aim) in zip(("p50", "p99"), zip(*rounds, strict=True), limits, strict=True):
            figures.append(middle(f"placed → seen confirmed {what}", name, at, "ms"))
            bars.append(Bar(f"placed → seen confirmed {name}, {what}", median(at), bar, aim, below=True, unit="ms"))
    for number, what in enumerate(("placed → confirmed", "commit → handler starts", "answer")):
        for offset, share in enumerate(("p50", "p99")):
            figures.append(Figure(f"{what} {share}", "at 5 orders/s", of_rows[2 * number + offset], "ms"))
    return Leg(figures, bars)


def _watched(bench: Bench, it: Side, rate: float) -> tuple[float, float]:
    """Return the milliseconds until half, and nearly all, of five orders a second are seen confirmed at this rate."""
    work, rest = Work(it), rate - REST_RATE
    with ThreadPoolExecutor() as pool:
        others = pool.submit(place, it, rate=rest, seconds=REST_SECONDS) if rest else None
        run = watched(it, rate=REST_RATE, seconds=REST_SECONDS)
        orders = len(run.seconds) + (len(others.result().seconds) if others else 0)
    work.drain(orders * PIECES, bench.say)
    return run.percentile(0.5), run.percentile(0.99)


def _calm(bench: Bench, it: Side, *, rate: float, seconds: float) -> tuple[float, ...]:
    work, run = place_and_see_through(bench, it, rate=rate, seconds=seconds)
    seen = (_seen(it, CONFIRMED, work), _seen(it, STARTS, work), run)
    return tuple(some.percentile(share) for some in seen for share in (0.5, 0.99))


def broker_away(bench: Bench) -> Leg:
    """The answers' p99 while the broker is stopped, beside the same with the broker there."""
    if bench.servers is None:
        raise NotHere("the servers are given ones, and cannot be stopped: set neither DATABASE_URL nor BROKER_URL")
    valkey = bench.servers.valkey
    with side(ORDERSITE, bench.place, broker=1) as it:
        it.start()
        there = partial(_calm, bench, it, rate=AWAY_RATE, seconds=AWAY_SECONDS)
        there()  # warm

        def away() -> tuple[float, ...]:
            work = Work(it)
            valkey.stop()
            try:
                run = place(it, rate=AWAY_RATE, seconds=AWAY_SECONDS)
            finally:
                valkey.start()
            work.drain(len(run.seconds) * PIECES, bench.say)
            return run.percentile(0.5), run.percentile(0.99)

        ways: dict[str, Callable[[], tuple[float, ...]]] = {"broker there": there, "broker away": away}
        found = in_turns(bench, ways)
    p99 = {name: [values[-1] for values in rounds] for name, rounds in found.items()}
    figures = [middle("answer p50", name, [values[-2] for values in rounds], "ms") for name, rounds in found.items()]
    figures += [middle("answer p99", name, values, "ms") for name, values in p99.items()]
    cost = ratio(p99["broker away"], p99["broker there"])
    return Leg(figures, [Bar("intake p99, broker away ÷ broker there", cost, 1.2, 1.0, below=True)])
