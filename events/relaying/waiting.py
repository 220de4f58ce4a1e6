"""How the relay waits: for a hint of who published (events/wakeup.py), or until it is time to look all the same."""

import select
import time
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from django.db import connection

from events.sql import execute, fetch
from events.wakeup import CHANNEL, wake

SOON = 0.01  # seconds to the next look where there is more to send than room, or hints do not come through
SELDOM = 0.1  # seconds to the next look where nothing tells of any: for what becomes due by itself
DEAF = 3.0  # seconds without hearing its own hints, after which the relay does not rely on any
GLANCE = 0.1  # seconds from one look to the next whether the relay is told to stop


class Waiting:
    """Waits between two looks for what is due, and no longer than until `is_over` says that the relay is to end.

    `next_look` tells when a queue that is told of is to be looked at, by the monotonic clock.
    """

    def __init__(self, is_over: Callable[[], bool], next_look: Callable[[str], float]) -> None:
        self._is_over = is_over
        self._next_look = next_look
        self._listening: Any = None  # psycopg's connection that listens
        self._heard = -inf  # when hints were seen to come through, by the monotonic clock
        self._look_at = inf

    def listen(self) -> None:
        """Listen on the connection that there is now, and see whether hints come through. Raises DatabaseError.

        Where a pool is between (PgBouncer), the session that listens would be another's the next moment: then nobody
        listens, and what the server says of itself is another number than the pool said.
        """
        connection.ensure_connection()
        if self._listening is not connection.connection:
            self._listening = None
            ((backend,),) = fetch("SELECT pg_backend_pid()", {})
            if backend == connection.connection.info.backend_pid:
                execute(f"LISTEN {CHANNEL}", {})
                self._listening = connection.connection
        if self._listening is not None:
            self._read()  # a relay that never rests reads none elsewhere
            wake("")

    def look_at(self, moment: float) -> None:
        """Have the next look at this moment at the latest."""
        self._look_at = min(self._look_at, moment)

    def rest(self) -> None:
        """Wait until it is time for the next look. Raises DatabaseError."""
        now = time.monotonic()
        self._read()
        self.look_at(now + (SELDOM if now - self._heard < DEAF else SOON))
        while not self._is_over() and (left := self._look_at - time.monotonic()) > 0:
            if self._listening is None:
                time.sleep(min(left, GLANCE))
            elif select.select([self._listening], [], [], min(left, GLANCE))[0]:
                self._read()
        self._look_at = inf

    def pause(self, seconds: float) -> None:
        """Wait for so long, whatever comes."""
        self._listening, end = None, time.monotonic() + seconds
        while not self._is_over() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, GLANCE))

    def _read(self) -> None:
        """Read the hints that have come, those too that came with the answers to statements."""
        if self._listening is None:
            return
        with connection.wrap_database_errors:
            hints: Iterable[Any] = self._listening.notifies(timeout=0)
            for hint in hints:
                if hint.payload:
                    self.look_at(min(map(self._next_look, hint.payload.split(","))))
                else:
                    self._heard = time.monotonic()
