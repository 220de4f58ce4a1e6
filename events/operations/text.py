"""The figures as text, for a terminal."""

from collections.abc import Sequence

from events.operations.figures import Figures, HandlerFigures
from events.operations.processes import Process
from events.subscriptions import the_map


def as_text(found: Figures, seen: Sequence[Process], last: str) -> str:
    states = [[each.name, "up" if each.up else "DOWN", each.detail] for each in seen]
    queues = [
        [name, f"{state.backlog:,}", f"{state.oldest_due:,.1f} s", f"{state.dead:,}"]
        for name, state in found.queues.items()
    ]
    handlers = [_handler(each) for each in found.handlers]
    reached = _sums(found, the_map().milestones.name) or "no milestone"
    parts = [
        _table(["process", "", ""], states),
        _table(["queue", "due", "oldest due for", "dead letters"], queues),
        _table(["handler", "done", "p50", "p99", "failed attempts", "died"], handlers),
        f"In the last {last}: {reached}. {_sums(found, 'trouble').capitalize()}.",
    ]
    return "\n\n".join(parts)


def _handler(each: HandlerFigures) -> list[str]:
    times = ["-" if value is None else f"{value:,.1f} ms" for value in (each.p50, each.p99)]
    return [each.name, f"{each.done:,}", *times, f"{each.failed:,}", f"{each.dead:,}"]


def _sums(found: Figures, chart: str) -> str:
    return ", ".join(f"{sum(value or 0 for value in line):,.0f} {name}" for name, line in found.charts[chart].items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    return "\n".join(line.rstrip() for line in lines)
