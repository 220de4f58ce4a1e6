"""What an order costs with everything running, by kind of process, and what all of them cost at rest."""

import time
from typing import cast

from redis import Redis

from benchmarks.kinds import EVERYTHING
from benchmarks.side import Side, side
from benchmarks.speed.figures import Bar, Figure, Leg, middle
from benchmarks.speed.proc import megabytes, milliseconds, with_children
from benchmarks.speed.rounds import Bench
from benchmarks.speed.work import place_and_see_through

RATES = {5.0: (55.0, 30.0), 20.0: (24.0, 12.0), 80.0: (11.0, 7.0)}
"""Orders a second, and the milliseconds of a core that an order may cost and is aimed to: the more come, the more of
them share what is done.
"""

SECONDS = 30.0

SETTLE, REST = 15.0, 60.0
"""Seconds after a load until what it left is done (statistics are counted, tables vacuumed), and of rest."""

LOOP = 2_000_000
"""Turns of a loop that is timed beside the figures, so that those of a slow hour can be told."""

Counters = dict[str, float]
"""Sums that only grow, by what they count."""


def cost(bench: Bench) -> Leg:
    """What an order costs at several rates, mails sent: milliseconds of a core, transactions, bytes."""
    figures, bars = [], []
    with side(EVERYTHING, bench.place, broker=1) as it:
        it.start()
        place_and_see_through(bench, it, rate=5.0, seconds=SECONDS)  # warm
        for rate, (bar, aim) in RATES.items():
            before = _counters(bench, it)
            _, run = place_and_see_through(bench, it, rate=rate, seconds=SECONDS)
            after = _counters(bench, it)
            at, each = (
                f"at {rate:g} orders/s",
                {name: (after[name] - before[name]) / len(run.seconds) for name in after},
            )
            figures += [Figure(name, at, value, _unit(name)) for name, value in each.items()]
            figures.append(Figure("a fixed loop", at, fixed_loop(), "ms"))
            bars.append(Bar(f"processor time an order {at}", each["all, CPU"], bar, aim, below=True, unit="ms"))
            if rate == 20:
                bars += [
                    Bar("PostgreSQL's log an order", each["PostgreSQL's log"] / 1_000, 18, 12, below=True, unit="kB"),
                    Bar("transactions an order at 20/s", each["transactions"], 10, 5, below=True),
                ]
    return Leg(figures, bars)


def idle(bench: Bench) -> Leg:
    """CPU (percent of one core) and memory of all processes at rest."""
    with side(EVERYTHING, bench.place, broker=1) as it:
        it.start()
        place_and_see_through(bench, it, rate=5.0, seconds=5.0)  # warm
        time.sleep(SETTLE)
        rounds = [_share_at_rest(bench, it) for _ in range(bench.rounds)]
        held = {name: sum(megabytes(each) for each in with_children(pid)) for name, pid in _pids(bench, it).items()}
    names = rounds[0]
    figures = [middle("processor", name, [found[name] for found in rounds], "%") for name in names]
    figures += [Figure("memory", name, value, "MB") for name, value in (held | {"all": sum(held.values())}).items()]
    total = next(figure.value for figure in figures if figure.side == "all")
    bars = [
        Bar("at rest, share of one core", total, 4, 2, below=True, unit="%"),
        Bar("at rest, memory", sum(held.values()), 900, 600, below=True, unit="MB"),
    ]
    return Leg(figures, bars)


def _share_at_rest(bench: Bench, it: Side) -> Counters:
    """Return the percent of one core that each process, and all, take during a while of rest."""
    began, before = time.monotonic(), _processor(bench, it)
    time.sleep(REST / bench.rounds)
    after, took = _processor(bench, it), time.monotonic() - began
    return {name.removesuffix(", CPU"): (after[name] - before[name]) / took / 10 for name in after}


def fixed_loop() -> float:
    """Return the milliseconds that a fixed piece of arithmetic takes this machine now."""
    began = time.perf_counter()
    for _ in range(LOOP):
        pass
    return 1_000 * (time.perf_counter() - began)


def _pids(bench: Bench, it: Side) -> dict[str, int]:
    pids = {name: process.pid for name, process in it.supervisor.processes.items()}
    if bench.servers is not None:
        pids |= {"PostgreSQL": bench.servers.postgres.pid, "Valkey": bench.servers.valkey.pid}
    return {name: pid for name, pid in pids.items() if pid}


def _processor(bench: Bench, it: Side) -> Counters:
    found = {f"{name}, CPU": milliseconds(pid) for name, pid in _pids(bench, it).items()}
    return found | {"all, CPU": sum(found.values())}


def _counters(bench: Bench, it: Side) -> Counters:
    found = _processor(bench, it)
    ((log, commits),) = it.sql(
        "SELECT pg_current_wal_lsn() - '0/0', xact_commit FROM pg_stat_database WHERE datname = current_database()"
    )
    found["PostgreSQL's log"] = float(log)
    found["transactions"] = float(commits)
    with Redis.from_url(it.broker_url) as broker:
        info = cast(dict[str, float], broker.info("stats"))
        found["to the broker"] = info["total_net_input_bytes"]
        found["from the broker"] = info["total_net_output_bytes"]
    return found


def _unit(name: str) -> str:
    return "ms" if name.endswith("CPU") else "" if name == "transactions" else "bytes"
