"""Tells those who watch an order of each change of its status: one look at the database for all of them.

A look asks for the orders whose status is not the one that was told last, and so misses none, however late a change is
committed and whatever the clocks of those who make them say. What happened in between two looks is read from the
order's history.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import Error as DatabaseError

from orders.models import Order
from orders.selectors import moved, steps_after
from orders.states import TRANSITIONS, Status
from rpc.call_log import watchers
from rpc.errors import ShuttingDown, TooManyWatchers
from rpc.lookups import LONGEST, Lookups
from rpc.messages import STATUS, step_message
from rpc.stubs import orders_v1_pb2 as orders

logger = logging.getLogger(__name__)

EVERY = 0.2
"""Seconds from one look to the next: how late a change is told at most, but for the look itself."""
AT_ONCE = 100
"""Orders that a look reads whole."""
FINAL = {STATUS[status] for status, following in TRANSITIONS.items() if not following}


class Watch:
    """One call that watches an order."""

    def __init__(self, order: Order) -> None:
        self.order_id = order.id
        self.told = Status(order.status)
        self._steps: asyncio.Queue[orders.Order | None] = asyncio.Queue()  # an order has three steps at most

    async def next(self) -> orders.Order:
        """Return the order after its next step, once there is one. Raises ShuttingDown."""
        step = await self._steps.get()
        if step is None:
            raise ShuttingDown
        return step

    def notify(self, order: Order) -> None:
        """Tell the steps that were not told yet."""
        for step in steps_after(order, self.told):
            self.told = Status(step.to_status)
            self._steps.put_nowait(step_message(order, step))

    def end(self) -> None:
        """Have next() raise, after what it still has to tell."""
        self._steps.put_nowait(None)


class Watches:
    def __init__(self, most: int) -> None:
        self._most = most
        self._watches: set[Watch] = set()
        self._lookups = Lookups(1)  # its own: busy calls do not delay it
        self._is_away = False
        self._is_ending = False

    @contextmanager
    def watching(self, order: Order) -> Iterator[Watch]:
        """Watch an order, of which the present state is told. Raises TooManyWatchers and ShuttingDown."""
        if self._is_ending:
            raise ShuttingDown
        if len(self._watches) >= self._most:
            raise TooManyWatchers
        watch = Watch(order)
        self._watches.add(watch)
        watchers.set(len(self._watches))
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            watchers.set(len(self._watches))

    async def run(self) -> None:
        """Look for ever. While the database is away, those who watch wait."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                while self._watches and await self._look() == AT_ONCE:
                    pass  # there are more: when many orders move on at once, the first need not wait for the last
                self._is_away = False
            except DatabaseError as error:
                if not self._is_away:
                    logger.warning("watched orders cannot be looked at: %s", error)
                self._is_away = True

    def end(self) -> None:
        """Have those who watch look for another server."""
        self._is_ending = True
        for watch in self._watches:
            watch.end()

    def close(self) -> None:
        self._lookups.close()

    async def _look(self) -> int:
        """Tell of orders that have moved on; return how many."""
        told = [(watch.order_id, watch.told) for watch in self._watches]
        found = await self._lookups.run(LONGEST, partial(moved, told, most=AT_ONCE))
        for watch in self._watches:
            if order := found.get(watch.order_id):
                watch.notify(order)
        return len(found)
