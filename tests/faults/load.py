"""Orders placed at a steady rate while something happens to the system."""

import http.client
import json
import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

from events.tests.waiting import until
from tests.journeys.system import System

NO_ANSWER = 0  # the status of a request that failed: refused, cut off, or not answered in time
TIMEOUT = 15  # seconds for one request
PAUSE = 0.2  # seconds before an order is tried again
PATIENCE = 180  # seconds until an order that is not accepted fails the load


@dataclass(frozen=True)
class Answered:
    """One request: when it was sent (time.monotonic()), what came back, and after how many seconds."""

    at: float
    status: int
    seconds: float
    retry_after: str | None = None


class NotAccepted(AssertionError):
    """An order was refused for good, or not accepted in time."""


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that this share of them does not exceed (0.99: the 99th percentile)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Load:
    """Places `rate` orders a second, of one piece each, from the start of a `with` block to its end.

    Each has its Idempotency-Key and is tried again under it until it is accepted. The end of the block waits for
    those that are not, and raises NotAccepted where one was refused for good.
    """

    def __init__(self, system: System, rate: float, skus: Sequence[str], *, threads: int = 8) -> None:
        self.answers: list[Answered] = []  # of every single request
        self.orders: list[Any] = []  # that were accepted
        self._system = system
        self._rate = rate
        self._skus = skus
        self._ending = threading.Event()
        self._failure: Exception | None = None
        self._taken = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, name=f"load-{number}") for number in range(threads)]

    def __enter__(self) -> Self:
        token = self._system.person("ada").token
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._start = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def more(self, orders: int, *, seconds: float = 60) -> None:
        """Wait until this many more orders are accepted."""
        goal = len(self.orders) + orders
        until(f"{orders} more orders are accepted", lambda: len(self.orders) >= goal or self._failure, seconds=seconds)
        if self._failure is not None:
            raise self._failure

    def between(self, since: float, end: float = math.inf) -> list[Answered]:
        """Return the requests sent between these two times (time.monotonic())."""
        return [answered for answered in list(self.answers) if since <= answered.at < end]

    def percentile(self, share: float, since: float = 0.0, end: float = math.inf) -> float:
        """Return the seconds within which this share of the requests sent between two times was answered."""
        return percentile((answered.seconds for answered in self.between(since, end)), share)

    def _work(self) -> None:
        address = urlsplit(self._system.web)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT)
        try:
            while self._wait_for_turn():
                self._place(connection)
        except Exception as error:  # noqa: BLE001 - raised at the end of the block
            self._failure = error
            self._ending.set()
        finally:
            connection.close()

    def _wait_for_turn(self) -> bool:
        """Wait until the next order is due; False when there is to be none."""
        with self._lock:
            due, self._taken = self._start + self._taken / self._rate, self._taken + 1
        return not self._ending.wait(max(0.0, due - time.monotonic()))

    def _items(self, number: int) -> list[dict[str, Any]]:
        """What is ordered by the order of this number."""
        return [{"sku": self._skus[number % len(self._skus)], "quantity": 1}]

    def _place(self, connection: http.client.HTTPConnection) -> None:
        """Place one order, again and again until it is accepted."""
        body = json.dumps({"items": self._items(self._taken)})
        headers = self._headers | {"Idempotency-Key": str(uuid4())}
        deadline = time.monotonic() + PATIENCE
        while True:
            answered, content = _send(connection, body, headers)
            self.answers.append(answered)
            if answered.status == 201:
                self.orders.append(json.loads(content))
                return
            if answered.status not in (NO_ANSWER, 409) and answered.status < 500:
                raise NotAccepted(f"{answered.status}: {content.decode()}")
            if time.monotonic() > deadline:
                raise NotAccepted(f"not accepted within {PATIENCE} s; last: {answered}")
            time.sleep(PAUSE)


def _send(connection: http.client.HTTPConnection, body: str, headers: dict[str, str]) -> tuple[Answered, bytes]:
    sent = time.monotonic()
    try:
        connection.request("POST", "/api/v1/orders", body, headers)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()  # the next request opens it again
        return Answered(sent, NO_ANSWER, time.monotonic() - sent), b""
    seconds = time.monotonic() - sent
    return Answered(sent, answer.status, seconds, answer.getheader("Retry-After")), content
