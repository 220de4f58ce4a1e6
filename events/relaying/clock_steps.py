"""Puts right what PostgreSQL's clock left behind when it stepped back.

All times come from that clock. Once it shows an earlier hour (a correction, a standby that took over, a restored
machine), what it wrote before lies in the future: leases do not run out, what is due is not, and nothing looks stuck.
So no stored time may lie further ahead than it honestly can; what does is brought down, and that is logged.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

from events import floors
from events.conf import setting
from events.floors import FLOORS, Floors
from events.policy import Backoff, default_limits
from events.sql import bounded_transaction, fetch, state_of
from events.statistics import tally
from events.subscriptions import the_map

logger = logging.getLogger(__name__)

CHUNK = 1_000  # rows a transaction
SLACK = 1.0  # seconds by which a time may lie too far ahead: clocks are corrected by less all the time
SPREAD = 1.5  # times UNKNOWN_RETRY: the longest wait for code that knows a delivery (failures.set_aside)


def bring_down_leases(since: Floors | None = None) -> int:
    """Let leases that are longer than a lease run out after one from now; return how many there were."""
    nearest = {"nearest": SLACK + floors.shortest_lease()}
    return _bring_down(_LEASES, floors.parameters(floors.known(since)) | nearest, "leases")


def bring_down_due(since: Floors | None = None) -> int:
    """Make due at once what waits for longer than its back-off can be; return how many there were.

    It cannot be told how much of a wait is honest, and a try that comes early costs little.
    """
    return _bring_down(_DUE, floors.parameters(floors.known(since)) | _backoffs() | {"nearest": SLACK}, "due times")


def _bring_down(sql: str, parameters: dict[str, Any], what: str) -> int:
    """Run a statement chunk by chunk, count what it changed by handler, and log how far ahead that was."""
    total, furthest = 0, 0.0
    for rows in _chunks(sql, parameters):
        total += len(rows)
        furthest = max(furthest, *(ahead for _, ahead in rows))
    if total:
        logger.warning(
            "PostgreSQL's clock has stepped back: %d %s were up to %.0f s ahead, and were brought down",
            *(total, what, furthest),
        )
    return total


def _chunks(sql: str, parameters: dict[str, Any]) -> Iterator[list[tuple[str, float]]]:
    count = CHUNK
    while count >= CHUNK:
        with bounded_transaction(default_limits()):
            rows = list(fetch(sql, parameters | {"chunk": CHUNK, "slack": SLACK}))
            tally.note("ahead", Counter(handler for handler, _ in rows))
        count = len(rows)
        if rows:
            yield [(handler, float(ahead)) for handler, ahead in rows]


def _backoffs() -> dict[str, Any]:
    """Return each handler's back-off. One that this code does not know has the longest of all."""
    known = {handler.name: handler.policy.backoff for group in the_map().subscriptions.values() for handler in group}
    longest = max((backoff.longest for backoff in known.values()), default=setting("BACKOFF_LONGEST"))
    found: list[tuple[str, Backoff]] = list(known.items())
    return {
        "handlers": [name for name, _ in found],
        "first": [backoff.first for _, backoff in found],
        "longest": [backoff.longest for _, backoff in found],
        "unknown": longest,
        "code": setting("UNKNOWN_RETRY") * SPREAD,
    }


# The longest that a delivery `d` may honestly wait, in seconds from now. It is due at once, unless it backs off.
# An event that is published for later is due at that time, and honest up to it: such a delivery belongs here.
_LONGEST_WAIT = """CASE
    WHEN d.waiting_for = 'code' THEN %(code)s::float8
    WHEN d.attempts + d.waits > 0 THEN coalesce(
        (SELECT least(b.longest, b.first * power(2, least(d.attempts + d.waits - 1, 30)))
         FROM unnest(%(handlers)s::text[], %(first)s::float8[], %(longest)s::float8[]) AS b (name, first, longest)
         WHERE b.name = d.handler), %(unknown)s::float8)
    ELSE 0 END"""


def _ahead(column: str, states: str, honest: str) -> str:
    """Return the part `ahead` of a statement: rows whose time lies too far ahead, locked, without those held elsewhere.

    What ends within `nearest` seconds is not even read.
    """
    return f"""
WITH found AS MATERIALIZED (
    SELECT too_far.id
    FROM {FLOORS}, LATERAL (
        SELECT d.id FROM events_delivery d
        WHERE d.queue = floor.queue AND d.state IN ({states})
          AND d.{column} > now() + make_interval(secs => %(nearest)s)
          AND d.{column} > now() + make_interval(secs => %(slack)s + {honest})
        LIMIT %(chunk)s) AS too_far
), ahead AS (
    SELECT mine.*
    FROM (SELECT id FROM found LIMIT %(chunk)s) AS of, LATERAL (
        SELECT d.id, extract(epoch FROM d.{column} - clock_timestamp())::float8 AS seconds FROM events_delivery d
        WHERE d.id = of.id AND {state_of("d")} IN ({states}) AND d.{column} > now() + make_interval(secs => %(nearest)s)
        FOR NO KEY UPDATE SKIP LOCKED) AS mine
)"""


_LEASES = f"""{_ahead("lease_until", "'leased', 'running'", "d.lease_seconds")}
UPDATE events_delivery d SET lease_until = clock_timestamp() + make_interval(secs => d.lease_seconds)
FROM ahead WHERE d.id = ahead.id
RETURNING d.handler, ahead.seconds
"""

_DUE = f"""{_ahead("due_at", "'pending'", _LONGEST_WAIT)}
UPDATE events_delivery d SET due_at = clock_timestamp(), waiting_since = least(d.waiting_since, clock_timestamp())
FROM ahead WHERE d.id = ahead.id
RETURNING d.handler, ahead.seconds
"""
