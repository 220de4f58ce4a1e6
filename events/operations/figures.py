"""What the operations page and `manage.py status` tell, asked of PostgreSQL at that moment."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, transaction

from events.sql import alias, reading_from
from events.statistics import tallies
from events.statistics.progress import QueueState, is_stuck, queue_states
from events.statistics.tallies import Point, Span, Took, quantile
from events.subscriptions import the_map

HOUR, DAY = 3_600, 86_400
SPANS = {
    "hour": Span(HOUR, 60, "minute"),
    "day": Span(DAY, 900, "minute"),
    "week": Span(7 * DAY, 2 * HOUR, "hour"),
}

TROUBLE = {"failed attempts": "failed", "dead letters": "dead", "leases that ran out": "expired"}

Series = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class HandlerFigures:
    """One handler over a span: how many it did, in what time (milliseconds), and what went wrong."""

    name: str
    done: int
    p50: float | None
    p99: float | None
    failed: int
    dead: int


@dataclass(frozen=True)
class Figures:
    """Everything about a span, and the queues as they are now."""

    starts: Sequence[datetime]
    counted_until: datetime | None
    charts: Mapping[str, Series]
    handlers: Sequence[HandlerFigures]
    queues: Mapping[str, QueueState]

    @property
    def is_stuck(self) -> bool:
        return any(is_stuck(state.oldest_due) for state in self.queues.values())


def figures(name: str) -> Figures:
    span = SPANS[name]
    with transaction.atomic(
        using=alias()
    ):  # one now() for all: a minute that turns in between would shift one against the other
        points, took, starts = tallies.points(span), tallies.took(span), tallies.starts(span)
    with reading_from(DEFAULT_DB_ALIAS):  # what is due now, by what this process remembers of the primary
        counted_until, queues = tallies.counted_until(), queue_states()
    return Figures(
        starts=starts,
        counted_until=counted_until,
        charts=_charts(span, points, took),
        handlers=_handlers(points, took),
        queues=queues,
    )


def _charts(span: Span, points: Sequence[Point], took: Sequence[Took]) -> Mapping[str, Series]:
    """Return each chart's lines by name, with a value for each step."""
    done = [point for point in points if point.what == "done"]
    backlog = [point for point in points if point.what == "backlog"]
    ours = the_map().consumers
    queues = [*ours, *sorted({point.name for point in backlog}.difference(ours))]  # others had something waiting
    return {
        the_map().milestones.name: {
            name: _line(span, ((p.step, p.count) for p in points if (p.what, p.name) == ("published", kind.type)))
            for name, kind in the_map().milestones.types.items()
        },
        "handled": {
            consumer: _line(span, ((p.step, p.count) for p in done if p.name.partition(".")[0] == consumer))
            for consumer in ours
        },
        "durations": _durations(span, took),
        "backlog": {queue: _line(span, ((p.step, p.highest) for p in backlog if p.name == queue)) for queue in queues},
        "oldest": {queue: _line(span, ((p.step, p.longest) for p in backlog if p.name == queue)) for queue in queues},
        "trouble": {
            title: _line(span, ((p.step, p.count) for p in points if p.what == what)) for title, what in TROUBLE.items()
        },
    }


def _line(span: Span, values: Iterable[tuple[int, float]]) -> Sequence[float]:
    line = [0.0] * span.steps
    for step, value in values:
        if 0 <= step < len(line):
            line[step] += value
    return line


def _durations(span: Span, took: Sequence[Took]) -> Series:
    """Return the milliseconds in which half, and 99 of 100, of the deliveries were handled; none where none was."""
    steps: dict[int, list[Took]] = defaultdict(list)
    for each in took:
        steps[each.step].append(each)
    return {
        title: [_milliseconds(_together(steps[step]), share) for step in range(span.steps)]
        for title, share in (("p50", 0.5), ("p99", 0.99))
    }


def _handlers(points: Sequence[Point], took: Sequence[Took]) -> Sequence[HandlerFigures]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for point in points:
        counts[point.what, point.name] += point.count
    found = []
    for name in sorted(the_map().handler_names()):
        buckets = _together(each for each in took if each.name == name)
        p50, p99 = _milliseconds(buckets, 0.5), _milliseconds(buckets, 0.99)
        done, failed, dead = (counts[what, name] for what in ("done", "failed", "dead"))
        found.append(HandlerFigures(name, done, p50, p99, failed, dead))
    return found


def _together(took: Iterable[Took]) -> Sequence[int]:
    return [sum(column) for column in zip(*(each.buckets for each in took), strict=True)]


def _milliseconds(buckets: Sequence[int], share: float) -> float | None:
    seconds = quantile(buckets, share)
    return None if seconds is None else round(seconds * 1_000, 1)
