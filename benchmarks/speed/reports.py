"""The leg of reports: a million rows, and what taking orders costs beside them."""

import time
from functools import partial
from statistics import median

from benchmarks.kinds import ORDERSITE
from benchmarks.side import Side, side
from benchmarks.speed.figures import Bar, Figure, Leg, middle, ratio
from benchmarks.speed.growth import PAST_ORDERS, load_past
from benchmarks.speed.proc import peak_megabytes, with_children
from benchmarks.speed.rounds import Bench, in_turns
from benchmarks.speed.work import place
from local.errors import LocalError

WORKER = "worker-reports"
RATE, SECONDS = 20.0, 20.0
"""Orders a second, and for how long; a report of a million rows takes longer."""

LOOK = 0.5
LONGEST = 900.0
"""Seconds between two looks whether a report is ready, and after which it never will be."""

STATE = (
    "SELECT status, rows, extract(epoch FROM finished_at - started_at)::float8 FROM analytics_report WHERE id = %(id)s"
)


def reports(bench: Bench) -> Leg:
    """A report of a million orders: its time, its worker's memory, and the answers to orders placed meanwhile."""
    with side(ORDERSITE, bench.place, broker=1) as it:
        load_past(bench, it)
        it.start()
        place(it, rate=RATE, seconds=2)  # warm
        _built(it, _ask(it, "stock"))
        before = _peak(it)
        took: dict[str, list[float]] = {}
        ways = {
            "alone": partial(_answers, it),
            **{f"beside a report of {kind}": partial(_beside, bench, it, kind, took) for kind in ("orders", "sales")},
        }
        found = in_turns(bench, ways)
        after = _peak(it)
    figures = []
    for number, what in enumerate(("answer p50", "answer p99")):
        figures += [middle(what, name, [values[number] for values in rounds], "ms") for name, rounds in found.items()]
    figures += [
        middle("a report of a million orders", f"beside a report of {k}", values, "s") for k, values in took.items()
    ]
    figures += [Figure("memory of its worker, at the highest", "alone", before, "MB")]
    figures += [Figure("memory of its worker, at the highest", "beside a report of orders", after, "MB")]
    slowed = ratio(*([values[0] for values in found[name]] for name in ("beside a report of orders", "alone")))
    return Leg(
        figures,
        [
            Bar("answers p50 beside a report ÷ alone", slowed, 1.25, 1.0, below=True),
            Bar("memory of the worker after a million rows ÷ after a few", after / before, 1.2, 1.0, below=True),
            Bar("a report of a million orders", median(took["orders"]), 300, 60, below=True, unit="s"),
        ],
    )


def _answers(it: Side) -> tuple[float, float]:
    run = place(it, rate=RATE, seconds=SECONDS)
    return run.percentile(0.5), run.percentile(0.99)


def _beside(bench: Bench, it: Side, kind: str, took: dict[str, list[float]]) -> tuple[float, float]:
    """Place orders while a report is built; note how long that takes."""
    report = _ask(it, kind)
    while it.sql(STATE, {"id": report})[0][0] == "pending":
        time.sleep(LOOK)
    answers = _answers(it)
    seconds = _built(it, report)
    bench.say(f"a report of {kind} in {seconds:.0f} s")
    took.setdefault(kind, []).append(seconds)
    return answers


def _ask(it: Side, kind: str) -> str:
    return it.run("benchmarks.ask_report", kind).strip()


def _built(it: Side, report: str) -> float:
    """Wait until a report is ready, and return the seconds that it took. Raises LocalError."""
    deadline = time.monotonic() + LONGEST
    while True:
        status, rows, seconds = it.sql(STATE, {"id": report})[0]
        if status == "ready":
            return float(seconds)
        if status not in ("pending", "running") or time.monotonic() > deadline:
            raise LocalError(f"the report {report} is {status}, with {rows} rows; of {PAST_ORDERS:,} orders")
        time.sleep(LOOK)


def _peak(it: Side) -> float:
    """Return the MB that the processes of the worker had at most, the largest of them."""
    pid = it.supervisor.processes[WORKER].pid
    return max(peak_megabytes(each) for each in with_children(pid)) if pid else 0.0
