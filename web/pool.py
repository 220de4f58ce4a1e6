"""Threads that do work for an event loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

Job = tuple[asyncio.Future[Any], Callable[[], Any]]


class Pool:
    """A fixed number of threads, each with its own connection to PostgreSQL.

    Cheaper than concurrent.futures, whose futures have locks of their own that nobody here needs.
    """

    def __init__(self, name: str, threads: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for number in range(threads):
            # Daemons: by the end of the process every request is answered, or its client was told to try again.
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    async def run(self, work: Callable[[], Any]) -> Any:
        """Return what `work` returns, or raise what it raises. What nobody waits for any more is not begun."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._jobs.put((future, work))
        return await future

    def _work(self) -> None:
        while True:
            future, work = self._jobs.get()
            if future.cancelled():
                continue
            try:
                result, error = work(), None
            except BaseException as raised:  # noqa: BLE001 - the loop gets it; the thread goes on
                result, error = None, raised
            self._loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # cancelled meanwhile
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
