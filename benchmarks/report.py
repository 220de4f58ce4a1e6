"""The measured figures as a table and as a chart, and where they are written."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.apps import APPS
from benchmarks.books import Figures
from benchmarks.scenarios import SCENARIOS
from benchmarks.show import chart, grid, versions
from local.settings import CHECKOUT

Results = dict[tuple[str, str], Figures]
"""Figures by the names of app and scenario."""

COMPARISON = CHECKOUT / "benchmarks" / "COMPARISON.md"
README = CHECKOUT / "README.md"
CHART = CHECKOUT / "docs" / "img" / "comparison.svg"

Show = Callable[[Figures], str]

HANDLED: dict[str, Show] = {
    "orders never handled": lambda f: f"{f.lost:,}",
    "orders parked for an hour": lambda f: f"{f.parked:,}",
    "orders handled twice": lambda f: f"{f.doubled:,}",
}
END: dict[str, Show] = {
    "last change after the load": lambda f: f"{f.last:,.0f} s",
    "pieces by which the stock is wrong": lambda f: f"{abs(f.stock_off):,}",
}
ROWS: dict[str, dict[str, Show]] = {
    "broker": {
        "orders accepted": lambda f: f"{f.accepted:,}",
        "clients that saw an error": lambda f: f"{f.errors:,}",
        "orders that exist, and no client was told": lambda f: f"{f.unseen:,}",
        **HANDLED,
        "API while it is away, p50 / p99": lambda f: f"{f.p50:,.0f} / {f.p99:,.0f} ms",
        "processes that exited": lambda f: f"{f.exits}",
        **END,
    },
    "worker": HANDLED | END,
    "rush": {"pieces sold": lambda f: f"{f.sold:,}"},
}
"""What the table tells of each scenario."""


def table(results: Results) -> str:
    """Return what was measured as a Markdown table that can be read on a terminal too."""
    apps = [name for name in APPS if any(app == name for app, _ in results)]
    rows = [["", *(APPS[name].title for name in apps)]]
    for scenario, lines in ROWS.items():
        if (apps[0], scenario) not in results:
            continue
        rows.append([f"**{heading(scenario)}**", *("" for _ in apps)])
        rows += [[label, *(show(results[app, scenario]) for app in apps)] for label, show in lines.items()]
    return grid(rows)


def heading(scenario: str) -> str:
    """Return a scenario's title and its load."""
    it = SCENARIOS[scenario]
    return it.title + (f"; {it.orders:,} orders at {it.rate:g}/s" if it.rate else "")


def write(results: Results) -> None:
    """Put the table and the versions between the marks in the documents, and draw the chart."""
    measured = f"{table(results)}\n"
    when = f"\nMeasured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, with {versions()}.\n"
    replace_marked(README, measured)
    replace_marked(COMPARISON, measured + when)
    CHART.write_text(draw(results))


def replace_marked(file: Path, text: str) -> None:
    """Replace what stands between the two marks, of which the first names the command."""
    marked = re.compile(r"(<!-- make compare -->\n).*?(\n<!-- end -->)", re.DOTALL)
    file.write_text(marked.sub(lambda match: f"{match[1]}\n{text}{match[2]}", file.read_text()))


PANELS: dict[str, tuple[str, Callable[[Figures], int]]] = {
    "broker": ("Broker away for 20 s: of 1,000 orders, how many were never handled", lambda f: f.lost),
    "worker": (
        "Workers killed five times: of 2,500 orders, how many are lost or wait for an hour",
        lambda f: f.lost + f.parked,
    ),
    "rush": ("100 buyers, 20 pieces: how many were sold", lambda f: f.sold),
}
LABELS = {"usual": "usual, defaults", "usual-late": "usual, acks_late"}

LEAST = 20
"""What a whole bar stands for at least: one order of 2,500 is not to look like all of them."""


def draw(results: Results) -> str:
    """Draw the three scenarios, a bar for each app."""
    panels = {
        title: {LABELS.get(name, name): count(results[name, scenario]) for name in APPS}
        for scenario, (title, count) in PANELS.items()
    }
    title = "The usual way and ordersite under the same faults"
    return chart(title, panels, left=182, longest=470, least=LEAST)
