"""The storm: the planned blows fall on a running system while customers order and call off what they ordered."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Any

import psycopg

from tests.chaos.schedule import Planned
from tests.faults.load import Load
from tests.faults.system import FaultySystem

PLENTY, SCARCE = 100_000, 40  # pieces
PRODUCTS = [PLENTY] * 12 + [SCARCE] * 4
CALLED_OFF = 0.1
"""Part of the orders that are cancelled, each at a random moment soon after it was placed."""

LOOK = 0.25
"""Seconds between two looks at what is still undecided."""

TELL = 5.0
"""Seconds between two lines of progress."""

GIVE_UP = 120.0
"""Seconds after the storm until what is undecided counts as lost."""


@dataclass
class Struck:
    """A blow that fell, by the monotonic clock, and when all orders from before its end were decided."""

    planned: Planned
    began: float
    ended: float = 0.0
    recovered: float = 0.0
    failed: str = ""

    @property
    def recovery(self) -> float:
        """Seconds from the end of the blow until the orders from before it were decided."""
        return self.recovered - self.ended


class Baskets(Load):
    """Orders of one to three products, whichever stands first: some hold locks that others want."""

    def _items(self, number: int) -> list[dict[str, Any]]:
        random = Random(number)
        skus = random.sample(self._skus, random.randint(1, 3))
        return [{"sku": sku, "quantity": random.randint(1, 3)} for sku in skus]


class Storm:
    """Runs a plan. Afterwards `struck`, `load`, `stock` and `cancelled` tell what happened."""

    def __init__(self, system: FaultySystem, planned: Sequence[Planned], *, rate: float, seconds: float) -> None:
        self.system = system
        self.struck: list[Struck] = []
        self.stock: dict[str, int] = {}
        self.called_off = 0
        self._planned = planned
        self._rate = rate
        self._seconds = seconds
        self._active: set[str] = set()
        self._over = threading.Event()

    def run(self, say: Callable[[str], None]) -> None:
        """Run to the end, and until all orders are decided or GIVE_UP is over."""
        self.stock = {self.system.product(pieces): pieces for pieces in PRODUCTS}
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(len(self._planned) + 2))
            stack.callback(self._over.set)
            self.load = Baskets(self.system, self._rate, list(self.stock))
            with self.load:
                self._start = time.monotonic()
                pool.submit(self._watch)
                pool.submit(self._call_off)
                blows = [pool.submit(self._strike, planned) for planned in self._planned]
                self._tell_until(self._start + self._seconds, say)
            for blow in blows:
                blow.result()
            self._wait_for_recovery(say)

    def _strike(self, planned: Planned) -> None:
        self._over.wait(max(0.0, self._start + planned.at - time.monotonic()))
        struck = Struck(planned, began=time.monotonic())
        self.struck.append(struck)
        self._active.add(planned.kind.name)
        try:
            with planned.kind.blow(self.system, Random(planned.seed)):
                self._over.wait(planned.seconds)
        except Exception as error:  # noqa: BLE001 - told in the report: a blow that missed proves nothing
            struck.failed = repr(error)
        finally:
            self._active.discard(planned.kind.name)
            struck.ended = time.monotonic()

    def _watch(self) -> None:
        """Note for each blow that ended when nothing from before its end was undecided any more."""
        while not self._over.wait(LOOK):
            waiting = [struck for struck in self.struck if struck.ended and not struck.recovered]
            if waiting and (age := self.oldest_undecided()) is not None:
                now = time.monotonic()
                for struck in waiting:
                    if now - age > struck.ended:
                        struck.recovered = now

    def oldest_undecided(self) -> float | None:
        """Return the age in seconds of the oldest order that is neither confirmed nor rejected; 0 where none is.

        None while the database is away.
        """
        try:
            rows = self.system.sql(
                "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8"
                " FROM orders_order WHERE status = 'pending'"
            )
        except psycopg.Error:
            return None
        return float(rows[0][0])

    def _call_off(self) -> None:
        """Cancel one order in ten, some seconds after it was placed; it may be too late for that, which is fine."""
        random = Random(self._planned[0].seed if self._planned else 0)
        waiting: deque[tuple[float, Any]] = deque()
        seen = 0
        api = self.system.person("ada")
        while not self._over.wait(0.05):
            new = self.load.orders[seen:]
            seen += len(new)
            chosen = [order for order in new if random.random() < CALLED_OFF]
            waiting.extend((time.monotonic() + random.uniform(0, 3), order) for order in chosen)
            while waiting and waiting[0][0] <= time.monotonic() and self._cancel(api, waiting[0][1]):
                waiting.popleft()

    def _cancel(self, api: Any, order: Any) -> bool:
        try:
            answer = api.post(f"/orders/{order['id']}/cancel")
        except OSError:
            return False
        self.called_off += answer.status == 200
        return answer.status in (200, 409)

    def _tell_until(self, end: float, say: Callable[[str], None]) -> None:
        while (left := end - time.monotonic()) > 0:
            age = self.oldest_undecided()
            behind = "the database is away" if age is None else f"oldest undecided {age:4.1f} s"
            now = ", ".join(sorted(self._active)) or "calm"
            say(f"{self._seconds - left:5.0f} s  {len(self.load.orders):6} orders  {behind:<24}  {now}")
            self._over.wait(min(TELL, left))

    def _wait_for_recovery(self, say: Callable[[str], None]) -> None:
        deadline = time.monotonic() + GIVE_UP
        while time.monotonic() < deadline and not all(struck.recovered for struck in self.struck):
            self._over.wait(LOOK)
        say(f"{time.monotonic() - self._start:5.0f} s  the storm is over")
