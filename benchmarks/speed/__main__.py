"""`make bench`: each leg, its sides in turns, on the embedded servers or on given ones; then the table and the chart.

From the environment: LEG (comma-separated, all without it), ROUNDS (3), ORDERS of the drain (10,000);
DATABASE_URL and BROKER_URL for given servers: databases named bench-* are made there, and broker databases 1 and 2
are emptied.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.command import chosen, number, run_in_folder
from benchmarks.side import Place
from benchmarks.speed import results
from benchmarks.speed.backlog import backlog, mails
from benchmarks.speed.cost import cost, idle
from benchmarks.speed.figures import Leg
from benchmarks.speed.growth import growth, memory
from benchmarks.speed.intake import intake, posts, reads
from benchmarks.speed.live import broker_away, latency, sustained
from benchmarks.speed.reports import reports
from benchmarks.speed.rounds import Bench, NotHere
from benchmarks.speed.trips import trips
from local.log import Log
from local.servers import VARIABLES, start_servers

LEGS: dict[str, Callable[[Bench], Leg]] = {
    "posts": posts,
    "cost": cost,
    "idle": idle,
    "drain": backlog,
    "latency": latency,
    "sustained": sustained,
    "mails": mails,
    "trips": trips,
    "reads": reads,
    "intake": intake,
    "broker": broker_away,
    "growth": growth,
    "memory": memory,
    "reports": reports,
}


def measure(folder: Path) -> None:
    """Start the servers, run the legs, print and keep what each finds, stop the servers."""
    names = chosen("LEG", list(LEGS))
    with contextlib.ExitStack() as stack:
        log_file = stack.enter_context((folder / "log").open("w", buffering=1))

        def log(name: str, line: str) -> None:
            log_file.write(f"{name:<20} | {line}\n")

        bench_of = stack.enter_context(_servers(folder, log))
        for name in names:
            log_file.write(f"=== {name}\n")
            _measure_one(name, bench_of(_teller(name)))


def _measure_one(name: str, bench: Bench) -> None:
    try:
        leg = LEGS[name](bench)
    except NotHere as error:
        bench.say(f"skipped: {error}")
        print()
        return
    bench.say("done")
    print("\n".join(["", results.table(leg), "", results.promises(leg.bars) if leg.bars else ""]), flush=True)
    results.keep(name, leg, (LEGS[name].__doc__ or "").strip())


@contextlib.contextmanager
def _servers(folder: Path, log: Log) -> Iterator[Callable[[Callable[[str], None]], Bench]]:
    """Start the servers that are not given, and return what makes the bench of a leg."""
    missing = [variable for variable in VARIABLES if not os.environ.get(variable)]
    with start_servers(folder, log=log, variables=missing) as servers:
        urls = {variable: os.environ.get(variable) or servers.urls[variable] for variable in VARIABLES}
        place = Place(urls["DATABASE_URL"], urls["BROKER_URL"], folder, log)
        rounds, orders = number("ROUNDS", 3), number("ORDERS", 10_000)
        ours = servers if len(missing) == len(VARIABLES) else None
        yield lambda say: Bench(place, ours, rounds, orders, say)


def _teller(leg: str) -> Callable[[str], None]:
    """Return a function that prints progress: one line on a terminal, elsewhere a line a second at most."""
    start, last = time.monotonic(), [0.0]

    def say(text: str) -> None:
        now = time.monotonic()
        line = f"{leg:<10} {now - start:5.0f} s  {text}"
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="", flush=True)
        elif now > last[0] + 1:
            last[0] = now
            print(line, flush=True)

    return say


if __name__ == "__main__":
    sys.exit(run_in_folder("ordersite-bench-", measure))
