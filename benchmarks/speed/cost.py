"""The leg of arithmetic: what one order costs, in processor time by kind of process, transactions and bytes."""

from typing import cast

from redis import Redis

from benchmarks.side import ORDERSITE, Side, side
from benchmarks.speed.figures import Figure, Leg
from benchmarks.speed.proc import milliseconds
from benchmarks.speed.rounds import Bench
from benchmarks.speed.work import place_and_see_through

RATES = (5.0, 20.0, 40.0)
"""Orders a second: the more come, the more of them share what is done."""

SECONDS = 20.0

Counters = dict[str, float]
"""Sums that only grow, by what they count."""


def cost(bench: Bench) -> Leg:
    """What an order costs at several rates: milliseconds of a core, statements, bytes."""
    figures = []
    with side(ORDERSITE, bench.place, broker=1) as it:
        it.start()
        place_and_see_through(bench, it, rate=5.0, seconds=SECONDS)  # warm
        for rate in RATES:
            before = _counters(bench, it)
            _, run = place_and_see_through(bench, it, rate=rate, seconds=SECONDS)
            after = _counters(bench, it)
            at = f"at {rate:g} orders/s"
            figures += [
                Figure(name, at, (after[name] - before[name]) / len(run.seconds), _unit(name)) for name in after
            ]
    return Leg(figures)


def _counters(bench: Bench, it: Side) -> Counters:
    pids = {name: process.pid for name, process in it.supervisor.processes.items()}
    if bench.servers is not None:
        pids |= {"PostgreSQL": bench.servers.postgres.pid, "Valkey": bench.servers.valkey.pid}
    found = {f"{name}, CPU": milliseconds(pid) for name, pid in pids.items() if pid}
    found["all, CPU"] = sum(found.values())
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
