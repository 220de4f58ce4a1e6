"""What was measured: kept as JSON, a leg at a time; shown as a table and a chart."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from benchmarks.report import PACKAGES, STYLE
from benchmarks.speed.figures import Bar, Figure, Leg
from local.settings import CHECKOUT

KEPT = CHECKOUT / "benchmarks" / "results.json"
RESULTS = CHECKOUT / "benchmarks" / "RESULTS.md"
CHART = CHECKOUT / "docs" / "img" / "speed.svg"

MARK = "<!-- make bench -->"


def keep(name: str, leg: Leg, what: str) -> None:
    """Keep a leg's figures in place of its earlier ones, and write the table and the chart anew."""
    kept = _kept()
    kept[name] = leg.as_json() | {"about": what, "measured": f"{datetime.now(UTC):%Y-%m-%d}", "cores": os.cpu_count()}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    head = RESULTS.read_text().partition(MARK)[0]
    RESULTS.write_text(f"{head}{MARK}\n\n{document(kept)}")
    CHART.write_text(chart({name: Leg.of_json(leg) for name, leg in kept.items()}))


def _kept() -> dict[str, Any]:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def document(kept: Mapping[str, Any]) -> str:
    """Return all that is kept as Markdown."""
    legs = {name: Leg.of_json({"figures": data["figures"], "bars": data["bars"]}) for name, data in kept.items()}
    bars = [bar for leg in legs.values() for bar in leg.bars]
    parts = [promises(bars)]
    for name, leg in legs.items():
        data = kept[name]
        parts.append(f"## {name}\n\n{data['about']} {_when(data)}\n\n{table(leg)}")
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return "\n\n".join([*parts, f"With {versions}."]) + "\n"


def _when(data: Mapping[str, Any]) -> str:
    return f"Measured {data['measured']} on {data['cores']} cores."


def promises(bars: Sequence[Bar]) -> str:
    """Return the table of what is to be reached."""
    rows = [["what", "measured", "must be", "aim", ""]]
    for bar in bars:
        sign = "≤" if bar.below else "≥"
        rows.append(
            [
                bar.what,
                _number(bar.value, bar.unit),
                f"{sign} {_number(bar.bar, bar.unit)}",
                _number(bar.aim, bar.unit),
                "reached" if bar.reached else "**missed**",
            ]
        )
    return grid(rows)


def table(leg: Leg) -> str:
    """Return a leg's figures, a line for each thing that was measured, a column for each side."""
    sides = list(dict.fromkeys(figure.side for figure in leg.figures))
    whats = list(dict.fromkeys(figure.what for figure in leg.figures))
    found = {(figure.what, figure.side): figure for figure in leg.figures}
    if len(sides) > len(whats) + 4:  # many processes: the other way round
        rows = [["", *whats]]
        rows += [[name, *(_cell(found.get((what, name))) for what in whats)] for name in sides]
    else:
        rows = [["", *sides]]
        rows += [[what, *(_cell(found.get((what, name))) for name in sides)] for what in whats]
    return grid(rows)


def _cell(figure: Figure | None) -> str:
    return _number(figure.value, figure.unit) if figure else ""


def _number(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def grid(rows: list[list[str]]) -> str:
    """Return rows, the first of which is the head, as a Markdown table that reads well on a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [*rows[:1], ["-" * width for width in widths], *rows[1:]]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


PANELS = {
    "intake": ("accepted", "Orders accepted a second, 16 connections"),
    "drain": ("handled", "Deliveries handled a second, from a backlog"),
    "sustained": ("sustained", "Orders accepted and handled a second, for as long as one likes"),
}
WIDTH, LABEL, BAR, ROW = 800, 250, 440, 26  # pixels


def chart(legs: Mapping[str, Leg]) -> str:
    """Draw the legs that a chart tells best, a bar for each side."""
    body, y = [], 36
    for name, (what, title) in PANELS.items():
        figures = [figure for figure in legs[name].figures if figure.what == what] if name in legs else []
        if not figures:
            continue
        body.append(f'<text class="title" x="20" y="{y}">{title}</text>')
        for figure in figures:
            y += ROW
            body += _bar(y, figure, max(each.value for each in figures))
        y += 48
    paper = f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y - 31}" rx="8"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y - 30}" width="{WIDTH}" role="img">'
    title = "<title>How fast ordersite is beside plain ways to do the same</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", paper, *body, "</svg>", ""])


def _bar(y: int, figure: Figure, most: float) -> list[str]:
    width = max(2, round(BAR * figure.value / most))
    kind = "ordersite" if figure.side.startswith("ordersite") else "usual"
    return [
        f'<text x="{LABEL - 20}" y="{y}" text-anchor="end">{figure.side}</text>',
        f'<rect class="{kind}" x="{LABEL - 8}" y="{y - 13}" width="{width}" height="17" rx="2"/>',
        f'<text x="{LABEL + width + 2}" y="{y}">{figure.value:,.0f}</text>',
    ]
