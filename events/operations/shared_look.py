"""Asks what may hang, so that whoever wants to know waits for a bounded time."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


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
