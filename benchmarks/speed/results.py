"""What was measured: kept as JSON, a leg at a time; shown as a table and a chart."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from benchmarks.show import chart, grid, versions
from benchmarks.speed.figures import Bar, Leg
from local.settings import CHECKOUT

KEPT = CHECKOUT / "benchmarks" / "results.json"
RESULTS = CHECKOUT / "benchmarks" / "RESULTS.md"
CHART = CHECKOUT / "docs" / "img" / "speed.svg"

MARK = "<!-- make bench -->"

LEADING = ("posts", "cost", "idle", "drain", "latency", "sustained", "mails", "trips", "reads")
"""The legs on everything that `make run` starts, which stand first; the others measure parts of it."""


def keep(name: str, leg: Leg, what: str) -> None:
    """Keep a leg's figures in place of its earlier ones, and write the table and the chart anew."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[name] = asdict(leg) | {"about": what, "measured": f"{datetime.now(UTC):%Y-%m-%d}", "cores": os.cpu_count()}
    places = {leg: place for place, leg in enumerate(LEADING)}
    kept = dict(sorted(kept.items(), key=lambda item: places.get(item[0], len(places))))
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    head = RESULTS.read_text().partition(MARK)[0]
    RESULTS.write_text(f"{head}{MARK}\n\n{document(kept)}")
    CHART.write_text(draw({name: Leg.of_json(leg) for name, leg in kept.items()}))


def document(kept: Mapping[str, Any]) -> str:
    """Return all that is kept as Markdown."""
    legs = {name: Leg.of_json(data) for name, data in kept.items()}
    bars = [bar for leg in legs.values() for bar in leg.bars]
    parts = [promises(bars)]
    for name, leg in legs.items():
        data = kept[name]
        when = f"Measured {data['measured']} on {data['cores']} cores."
        parts.append(f"## {name}\n\n{data['about']} {when}\n\n{table(leg)}")
    return "\n\n".join([*parts, f"With {versions()}."]) + "\n"


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
    found = {(figure.what, figure.side): _number(figure.value, figure.unit) for figure in leg.figures}
    rows = [["", *sides], *([what, *(found.get((what, name), "") for name in sides)] for what in whats)]
    if len(sides) > len(whats) + 4:  # many processes: the other way round
        rows = [list(column) for column in zip(*rows, strict=True)]
    return grid(rows)


def _number(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


PANELS = {
    "intake": ("accepted", "Orders accepted a second, 16 connections"),
    "drain": ("handled", "Deliveries handled a second, from a backlog"),
    "sustained": ("sustained", "Orders accepted and handled a second, for as long as one likes"),
}


def draw(legs: Mapping[str, Leg]) -> str:
    """Draw the legs that a chart tells best, a bar for each side."""
    panels = {
        title: {figure.side: figure.value for figure in legs[name].figures if figure.what == what}
        for name, (what, title) in PANELS.items()
        if name in legs
    }
    return chart("How fast ordersite is beside plain ways to do the same", panels, left=242, longest=440)
