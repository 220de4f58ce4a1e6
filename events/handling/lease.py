"""Keeps a lease alive while a handler works outside the database."""

import logging
import threading
import time
from collections.abc import Sequence
from types import TracebackType

from django.db import Error as DatabaseError
from django.db import connection

from events.handling import deliveries
from events.handling.deliveries import Started

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews the leases of one message's deliveries every `every` seconds, in a thread with a connection of its own.

    It stops when the work ends or all are lost. A lost one needs no more: finishing it fails by its token. And it stops
    after `longest` seconds: where Celery's main process died, nobody is left to end a handler that hangs.
    """

    def __init__(self, started: Sequence[Started], *, every: float, longest: float) -> None:
        self._started = started
        self._every = every
        self._last = time.monotonic() + longest
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)

    def __enter__(self) -> "LeaseKeeper":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        try:
            while not self._ended.wait(self._every) and time.monotonic() < self._last and self._renew():
                pass
        finally:
            connection.close()

    def _renew(self) -> bool:
        try:
            return deliveries.renew(self._started)
        except DatabaseError as error:
            logger.warning("could not renew the lease of %s: %s", self._started[0].id, error)
            connection.close()
            return True
