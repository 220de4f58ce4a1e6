"""Whether the database takes writes, and the broker messages; asked so that nobody waits for an answer for ever."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from events import broker
from events.operations.activity import activity
from events.sql import fetch

T = TypeVar("T")

WAIT = 2.3  # seconds for which an answer is waited for: callers are promised one within 2.5 s
BROKER_TIMEOUT = 1.0  # seconds to connect, and to answer
STANDBY = "The database is a standby in recovery, so it takes no writes."
READ_ONLY = "The database is read-only, so it takes no writes."
COMMITS_WAIT = "The database's commits wait for a synchronous standby."
COMMIT_LATE = 5  # seconds; a synchronous standby that is at work confirms a commit within milliseconds


class SharedLook(Generic[T]):
    """A question asked in a thread of its own, once for all who want to know at the same time.

    So however many ask, and however long the answer takes, there is one thread.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._future: Future[T] | None = None

    def begin(self) -> "Future[T]":
        """Ask, unless that is under way, and return the future answer."""
        with self._lock:
            if self._future is None or self._future.done():
                self._future = Future()
                threading.Thread(target=self._run, args=(self._future,), name="look", daemon=True).start()
            return self._future

    def _run(self, future: "Future[T]") -> None:
        try:
            future.set_result(self._ask())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the answer is waited for
            future.set_exception(error)


def left(until: float) -> float:
    """Return the seconds from now to a moment of the monotonic clock; 0 where it is past."""
    return max(0.0, until - time.monotonic())


_broker = SharedLook(lambda: broker.refusal(BROKER_TIMEOUT))


def begin_broker_look() -> "Future[str]":
    return _broker.begin()


def broker_refusal(seconds: float = WAIT) -> str:
    """Return why the broker takes no messages, "" where it does, after so many seconds at most."""
    try:
        return begin_broker_look().result(seconds)
    except TimeoutError:
        return "TimeoutError: it does not answer"


def why_no_writes() -> str:
    """Return why the database takes no writes, "" where it does. Raises DatabaseError."""
    standby, read_only = fetch("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'", {})[0]
    if standby:
        return STANDBY
    if read_only:
        return READ_ONLY
    waited = activity().commit_wait
    return f"{COMMITS_WAIT} One has waited for {waited:,.0f} s." if waited > COMMIT_LATE else ""
