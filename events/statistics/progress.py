"""What is due and does not move, and how much waits: for the relay's log, /health/ready and /metrics.

All of it is cheap, however long the backlog: it is asked every few seconds. So it begins at floors (events/floors.py):
the relay's own, elsewhere those that the process has kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from events import floors
from events.conf import setting
from events.floors import FLOORS, Floors
from events.sql import earlier_undone, fetch, state_of
from events.subscriptions import the_map

# Rows a queue. What is due and waits for an earlier one that is about to run stands among the oldest too.
OLDEST = 200


@dataclass(frozen=True)
class QueueState:
    """A queue at one moment.

    `oldest_due`: seconds for which the first that could go has waited to be started; `unsent`: the same of the first
    that no relay has sent.
    """

    oldest_due: float
    backlog: int
    dead: int
    unsent: float


def oldest_due(since: Floors | None = None) -> dict[str, float]:
    """Return for each queue how many seconds ago the first delivery was due that could run and nobody has started.

    One that was sent and not started counts too: its message is lost, or no worker is there. What is parked or backs
    off is not due, and what waits for an earlier one of its subject could not run.
    """
    known = floors.kept.get() if since is None else since
    return _older(_by_queue(_SENT, known), _by_queue(_UNSENT, known))


def _older(some: dict[str, float], others: dict[str, float]) -> dict[str, float]:
    return {queue: max(some.get(queue, 0.0), others.get(queue, 0.0)) for queue in some.keys() | others.keys()}


def is_stuck(age: float) -> bool:
    """Tell whether a delivery that has been due for so many seconds should have been started."""
    return age > float(setting("STUCK_AFTER"))


def queue_states(since: Floors | None = None) -> Mapping[str, QueueState]:
    """Return the state of every queue: those of the map, and any other that has something waiting or dead."""
    known = floors.kept.get() if since is None else since
    unsent, backlog = _by_queue(_UNSENT, known), _by_queue(_BACKLOG, known)
    dead = {queue: int(count) for queue, count in fetch(_DEAD, {})}
    ages = _older(_by_queue(_SENT, known), unsent)
    names = sorted({*the_map().consumers, *ages, *backlog, *dead})
    return {
        name: QueueState(ages.get(name, 0.0), int(backlog.get(name, 0)), dead.get(name, 0), unsent.get(name, 0.0))
        for name in names
    }


def _by_queue(sql: str, known: Floors) -> dict[str, float]:
    """Return what a statement says of each queue that it has a row of."""
    return dict(fetch(sql, floors.parameters(known) | {"rows": OLDEST}))


_SENT = f"""
SELECT floor.queue, sent.age
FROM {FLOORS}, LATERAL (
    SELECT extract(epoch FROM clock_timestamp() - min(due_at))::float8 AS age FROM events_delivery d
    WHERE d.queue = floor.queue AND d.state IN ('leased', 'running') AND d.lease_until >= floor.lease
      AND {state_of("d")} = 'leased') AS sent
WHERE sent.age IS NOT NULL
"""

# The first that no relay has sent.
_UNSENT = f"""
SELECT floor.queue, unsent.age
FROM {FLOORS}, LATERAL (
    SELECT extract(epoch FROM clock_timestamp() - min(d.due_at))::float8 AS age
    FROM (SELECT subject, consumer, sequence, handler, due_at FROM events_delivery
          WHERE queue = floor.queue AND state = 'pending' AND due_at >= floor.due AND due_at <= now()
          ORDER BY due_at LIMIT %(rows)s) AS d
    WHERE NOT {earlier_undone("d")}) AS unsent
WHERE unsent.age IS NOT NULL
"""

_BACKLOG = f"""
SELECT floor.queue, waiting.count
FROM {FLOORS}, LATERAL (
    SELECT count(*) FROM events_delivery d
    WHERE d.queue = floor.queue AND d.state = 'pending' AND d.due_at >= floor.due AND d.due_at <= now()) AS waiting
WHERE waiting.count > 0
"""

_DEAD = "SELECT consumer, count(*) FROM events_delivery WHERE state = 'dead' GROUP BY consumer"
