"""Wakes the relay when there is something to send, so that it need not look a hundred times a second.

Who publishes says so by NOTIFY *after* the commit, in a statement by itself, which leaves with the commit where the
database's backend can do that. In the transaction it would take a lock of the whole database until the commit is on the
disk, and cost the intake 39 % (docs/decisions/0034-wakeup.md). It is a hint and nothing more: whatever becomes of it,
the relay looks by itself several times a second.
"""

import time
from collections.abc import Collection
from functools import partial

from events.sql import Statement, after_commit, execute

CHANNEL = "events_due"
ONCE_IN = 0.002  # seconds from one hint of a process to the next that tells the same

_sent: dict[str, float] = {}  # by what was told, the monotonic clock


def wake_after_commit(queues: Collection[str]) -> None:
    """Tell the relays of deliveries in these queues once the open transaction is committed."""
    if queues:
        after_commit(partial(_hint, ",".join(sorted(queues))))


def _hint(queues: str) -> Statement | None:
    """Return the statement that tells of these queues now, None where this process has just told of them."""
    now = time.monotonic()
    if now - _sent.get(queues, -ONCE_IN) < ONCE_IN:
        return None
    _sent[queues] = now
    return _NOTIFY, {"channel": CHANNEL, "queues": queues}


def wake(queues: str) -> None:
    """Tell the relays of these queues now, comma-separated; none: whether hints come through. Raises DatabaseError."""
    execute(_NOTIFY, {"channel": CHANNEL, "queues": queues})


_NOTIFY = "SELECT pg_notify(%(channel)s, %(queues)s)"
