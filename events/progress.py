"""What is due and does not move, and how much waits: for the relay's log, /health/ready and /metrics.

All of it is cheap, however long the backlog: it is asked every few seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from events.claims import due_queues
from events.sql import earlier_undone, fetch
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


def oldest_due() -> dict[str, float]:
    """Return for each queue how many seconds ago the first delivery was due that could run and nobody has started.

    One that was sent and not started counts too: its message is lost, or no worker is there. What is parked or backs
    off is not due, and what waits for an earlier one of its subject could not run.
    """
    return _older({queue: float(age) for queue, age in fetch(_SENT, {})}, oldest_unsent())


def oldest_unsent() -> dict[str, float]:
    """Return for each queue how many seconds ago the first delivery was due that could run and no relay has sent."""
    ages = {}
    for due in due_queues():
        (age,) = fetch(_OLDEST, {"queue": due.name, "rows": OLDEST})[0]
        if age is not None:
            ages[due.name] = float(age)
    return ages


def _older(some: dict[str, float], others: dict[str, float]) -> dict[str, float]:
    return {queue: max(some.get(queue, 0.0), others.get(queue, 0.0)) for queue in some.keys() | others.keys()}


def is_stuck(age: float) -> bool:
    """Tell whether a delivery that has been due for so many seconds should have been started."""
    return age > float(settings.EVENTS["STUCK_AFTER"])


def queue_states() -> Mapping[str, QueueState]:
    """Return the state of every queue: those of the map, and any other that has something waiting or dead."""
    unsent, backlog, dead = oldest_unsent(), _counts(_BACKLOG), _counts(_DEAD)
    ages = _older({queue: float(age) for queue, age in fetch(_SENT, {})}, unsent)
    names = sorted({*the_map().consumers, *ages, *backlog, *dead})
    return {
        name: QueueState(ages.get(name, 0.0), backlog.get(name, 0), dead.get(name, 0), unsent.get(name, 0.0))
        for name in names
    }


def _counts(sql: str) -> dict[str, int]:
    return {queue: int(count) for queue, count in fetch(sql, {})}


_SENT = """
SELECT queue, extract(epoch FROM clock_timestamp() - min(due_at))::float8 FROM events_delivery
WHERE state = 'leased' GROUP BY queue
"""

_OLDEST = f"""
WITH oldest AS (
    SELECT subject, consumer, sequence, handler, due_at FROM events_delivery
    WHERE queue = %(queue)s AND state = 'pending' AND due_at <= now() ORDER BY due_at LIMIT %(rows)s
)
SELECT extract(epoch FROM clock_timestamp() - min(d.due_at))::float8
FROM oldest d WHERE NOT {earlier_undone("d")}
"""

_BACKLOG = """
SELECT queue, count(*) FROM events_delivery WHERE state = 'pending' AND due_at <= now() GROUP BY queue
"""

_DEAD = "SELECT consumer, count(*) FROM events_delivery WHERE state = 'dead' GROUP BY consumer"
