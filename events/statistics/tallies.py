"""Reads what tally.py has counted: sums of all for metrics, and series for charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.models import Tally, TallyMark
from events.sql import fetch
from events.statistics.tally import BOUNDS


@dataclass(frozen=True)
class Span:
    """A stretch of time up to now, in steps: what a chart shows. Both in seconds, a step of whole minutes or hours."""

    seconds: int
    step: int
    grain: str  # of the tallies that it is made of

    @property
    def steps(self) -> int:
        """Return how many steps there are; the last is the one that is going on."""
        return self.seconds // self.step


@dataclass(frozen=True)
class Point:
    """What happened to one name in one step. `count` is a sum; of a backlog, `highest` and `longest` say how it was."""

    what: str
    name: str
    step: int  # its place, from 0
    count: int
    highest: int
    longest: float  # seconds


@dataclass(frozen=True)
class Took:
    """How long deliveries of a handler ran in one step, by bucket (tally.BOUNDS)."""

    name: str
    step: int
    buckets: Sequence[int]


def totals() -> Sequence[Tally]:
    """Return the sums of all that ever happened."""
    return list(Tally.objects.filter(grain="ever").order_by("what", "name"))


def counted_until() -> datetime | None:
    return TallyMark.objects.values_list("until", flat=True).first()


def points(span: Span) -> Sequence[Point]:
    """Return what happened in each step of the span, where anything did."""
    return [Point(*row) for row in fetch(_POINTS, _parameters(span))]


def took(span: Span) -> Sequence[Took]:
    """Return how long handlers ran in each step of the span."""
    return [Took(*row) for row in fetch(_TOOK, _parameters(span))]


def starts(span: Span) -> Sequence[datetime]:
    """Return when each step of the span begins, by PostgreSQL's clock."""
    return [row[0] for row in fetch(_STARTS, _parameters(span))]


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """Return the seconds within which this share of what fell into the buckets was done; None where nothing did.

    Between a bucket's bounds as if evenly spread, as Prometheus does it; beyond the last bound, that bound.
    """
    wanted, seen = share * sum(buckets), 0
    for number, count in enumerate(buckets):
        if count and seen + count >= wanted:
            if number == len(BOUNDS):
                return BOUNDS[-1]
            lower = BOUNDS[number - 1] if number else 0.0
            return lower + (BOUNDS[number] - lower) * ((wanted - seen) / count)
        seen += count
    return None


def _parameters(span: Span) -> dict[str, Any]:
    return {"grain": span.grain, "step": span.step, "seconds": span.seconds - span.step}


# The steps lie on whole steps since 1970, so that a chart's bars do not move with the second at which it is asked.
_FIRST = "date_bin(make_interval(secs => %(step)s), now() - make_interval(secs => %(seconds)s), 'epoch'::timestamptz)"
_STEP = f"(extract(epoch FROM at - {_FIRST})::bigint / %(step)s)::int"

_POINTS = f"""
SELECT what, name, {_STEP} AS step, sum(count)::bigint, max(count), max(waited_seconds)
FROM events_tally WHERE grain = %(grain)s AND at >= {_FIRST}
GROUP BY what, name, step
"""

_TOOK = f"""
SELECT name, step, array_agg(count ORDER BY bucket)
FROM (SELECT name, {_STEP} AS step, bucket, sum(seen)::bigint AS count
      FROM events_tally, unnest(ran) WITH ORDINALITY AS u (seen, bucket)
      WHERE grain = %(grain)s AND at >= {_FIRST} AND what = 'done'
      GROUP BY name, step, bucket) AS of
GROUP BY name, step
"""

_STARTS = f"""
SELECT {_FIRST} + n * make_interval(secs => %(step)s)
FROM generate_series(0, (%(seconds)s / %(step)s)::int) AS n ORDER BY n
"""
