"""Asks the database from threads, for no longer than a call lives: the loop that serves all calls never waits."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connection, connections, transaction

from rpc.errors import TooManyCalls

T = TypeVar("T")

MOST = 100
"""Look-ups under way or waiting for a thread; a call that would wait behind so many is refused."""
LONGEST = 10.0
"""Seconds that a statement may take, whatever the call's deadline: as long as in the web."""
LATE = 0.2
"""Seconds after the deadline at which a statement ends by itself: the call's own end comes first, and is told."""
TO_CANCEL = 1.0
"""Seconds in which PostgreSQL is to take notice that a query is not wanted any more."""


class Lookups:
    """A few threads, each with a connection of its own."""

    def __init__(self, threads: int) -> None:
        self._under_way = 0
        self._connections: list[Any] = []
        self._pool = ThreadPoolExecutor(threads, "look-up", initializer=self._keep_connection)
        self._cancellers = ThreadPoolExecutor(1, "cancel")

    async def run(self, seconds: float, look_up: Callable[[], T], *, always: bool = False) -> T:
        """Return what look_up() returns, in a transaction that may take so many seconds from now.

        Where the call is cancelled meanwhile, so is the query. Raises TooManyCalls, unless it is to be done `always`.
        """
        if self._under_way >= MOST and not always:
            raise TooManyCalls
        query = _Query(time.monotonic() + seconds)
        loop = asyncio.get_running_loop()
        self._under_way += 1
        try:
            return await loop.run_in_executor(self._pool, copy_context().run, query.run, look_up)
        except asyncio.CancelledError:
            loop.run_in_executor(self._cancellers, query.cancel)
            raise
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """Wait for what is under way, and close the connections."""
        self._cancellers.shutdown()
        self._pool.shutdown()
        for kept in self._connections:
            kept.close()

    def _keep_connection(self) -> None:
        kept = connections[DEFAULT_DB_ALIAS]
        kept.inc_thread_sharing()  # close() comes from another thread, when this one has ended
        self._connections.append(kept)


class _Query:
    """A look-up that can be cancelled by another thread, and then takes none with it that comes after."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._unwanted = False

    def run(self, look_up: Callable[[], T]) -> T:
        close_old_connections()
        try:
            with transaction.atomic(), self._under_way():
                # PostgreSQL ends a statement when nobody waits for it any more.
                left = min(self._until - time.monotonic() + LATE, LONGEST)
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(max(1, int(left * 1000)))])
                return look_up()
        finally:
            close_old_connections()

    def cancel(self) -> None:
        with self._lock:
            self._unwanted = True
            if self._connection:
                with suppress(psycopg.Error):  # it then ends by its time-out
                    self._connection.cancel_safe(timeout=TO_CANCEL)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._lock:
            if self._unwanted:
                raise TimeoutError("nobody waits for this any more")
            self._connection = connection.connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None
