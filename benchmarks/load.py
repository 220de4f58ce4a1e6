"""The load: orders at a steady rate, whatever becomes of the earlier ones, as customers come to a shop."""

import http.client
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

TIMEOUT = 10.0
"""Seconds until a client gives up."""

CLIENTS = 500
"""Clients at most at once: 40 a second who all give up after 10 s, and some."""

HEAD_START = 0.3
"""Seconds to have all clients ready before the first order is due."""


@dataclass(frozen=True)
class Shop:
    """Where orders are placed, and by whom."""

    port: int
    path: str
    authorizations: Sequence[str]


@dataclass(frozen=True)
class Answer:
    """What one client saw. `due` is on the monotonic clock; a status of 0 is no answer in time."""

    due: float
    seconds: float
    status: int
    order: str

    @property
    def accepted(self) -> bool:
        """Say whether the shop has taken the order."""
        return 200 <= self.status < 300


def send(shop: Shop, skus: Sequence[str], orders: int, rate: float | None) -> list[Answer]:
    """Place this many orders of one piece each, `rate` a second; all at once without a rate. Nobody tries twice."""
    start = time.monotonic() + HEAD_START

    def one(number: int) -> Answer:
        due = start + (number / rate if rate else 0)
        time.sleep(max(0.0, due - time.monotonic()))
        authorization = shop.authorizations[number % len(shop.authorizations)]
        status, order = place(shop, authorization, skus[number % len(skus)])
        return Answer(due, time.monotonic() - due, status, order)

    with ThreadPoolExecutor(min(orders, CLIENTS)) as pool:
        return list(pool.map(one, range(orders)))


def place(shop: Shop, authorization: str, sku: str) -> tuple[int, str]:
    """Place an order and return the status and the order's id; 0 where no answer came."""
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=TIMEOUT)
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    try:
        connection.request("POST", shop.path, json.dumps({"items": [{"sku": sku, "quantity": 1}]}), headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
    return response.status, str(json.loads(body)["id"]) if response.status == http.HTTPStatus.CREATED else ""


def percentile(answers: Sequence[Answer], share: float) -> float:
    """Return how many seconds this share of the clients waited at most; 0 where there are none."""
    waits = sorted(answer.seconds for answer in answers)
    return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else 0.0
