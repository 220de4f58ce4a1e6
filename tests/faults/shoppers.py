"""Customers who order all the time and note how each request went."""

import threading
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from uuid import uuid4

from events.tests.waiting import until
from tests.journeys.client import Api

PAUSE = 0.3  # seconds that one thinks before the next order: the load is to go on, not to become a backlog


class Shoppers:
    """Inside the `with` block they order, one thing after the other; each order is repeated under its key until taken.

    `refused` counts requests that never reached a server, `broken` those whose connection ended before an answer,
    `failed` answers other than 201, by status.
    """

    def __init__(self, api: Api, skus: Sequence[str], *, number: int = 2) -> None:
        self._api = api
        self._skus = skus
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._shop) for _ in range(number)]
        self.orders: list[Any] = []
        self.failed: Counter[int] = Counter()
        self.refused = 0
        self.broken = 0

    def __enter__(self) -> "Shoppers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int, *, seconds: float = 60) -> None:
        """Wait until this many more orders were accepted."""
        wanted = len(self.orders) + more
        until(f"{more} more orders are accepted", lambda: len(self.orders) >= wanted, seconds=seconds)

    def _shop(self) -> None:
        number = 0
        while not self._ending.wait(PAUSE):
            number += 1
            self.orders.append(self._order(self._skus[number % len(self._skus)]))

    def _order(self, sku: str) -> Any:
        key = str(uuid4())
        body = {"items": [{"sku": sku, "quantity": 1}]}
        return until("the order is accepted", lambda: self._try(body, key), seconds=90)

    def _try(self, body: dict[str, Any], key: str) -> Any:
        try:
            answer = self._api.post("/orders", body, Idempotency_Key=key)
        except OSError as error:
            self._note(getattr(error, "reason", error))
            return None
        if answer.status != 201:
            self.failed[answer.status] += 1
            return None
        return answer.json

    def _note(self, error: object) -> None:
        if isinstance(error, ConnectionRefusedError):
            self.refused += 1
        else:
            self.broken += 1
