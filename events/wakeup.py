"""Wakes the relay when there is something to send, so that it need not look a hundred times a second.

Who publishes says so by NOTIFY *after* the commit, in a statement by itself. In the transaction it would take a lock of
the whole database until the commit is on the disk, and cost the intake 39 % (docs/decisions/0034-wakeup.md). It is a
hint and nothing more: whatever becomes of it, the relay looks by itself several times a second.
"""

import logging
import time
from collections.abc import Collection
from functools import partial

from django.db import Error as DatabaseError
from django.db import transaction

from events.sql import execute

logger = logging.getLogger(__name__)

CHANNEL = "events_due"
ONCE_IN = 0.002  # seconds from one hint of a process to the next that tells the same

_sent: dict[str, float] = {}  # by what was told, the monotonic clock


def wake_after_commit(queues: Collection[str]) -> None:
    """Tell the relays of deliveries in these queues once the open transaction is committed."""
    if queues:
        transaction.on_commit(partial(_wake, ",".join(sorted(queues))))


def _wake(queues: str) -> None:
    now = time.monotonic()
    if now - _sent.get(queues, -ONCE_IN) < ONCE_IN:
        return
    _sent[queues] = now
    try:
        wake(queues)
    except DatabaseError as error:  # what was committed is committed, and the relay finds it
        logger.info("the relay was not woken: %s", error)


def wake(queues: str) -> None:
    """Tell the relays of these queues now, comma-separated; none: whether hints come through. Raises DatabaseError."""
    execute("SELECT pg_notify(%(channel)s, %(queues)s)", {"channel": CHANNEL, "queues": queues})
