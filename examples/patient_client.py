"""Places an order once, however often it has to ask, and waits until it is final.

python -m examples.patient_client TEA-SENCHA-100 3
"""

import json
import os
import random
import sys
import time
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

TIMEOUT = 15  # seconds for an answer
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds
FINAL = {"confirmed", "rejected", "cancelled", "fulfilled"}


class NotNow(Exception):
    """Asked again, the answer may be another."""

    def __init__(self, why: str, retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Shop:
    """The API, asked until it answers."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"
        self._headers = {"Content-Type": "application/json"}

    def sign_in(self, email: str, password: str) -> None:
        """Sign in; every later request carries the token."""
        answer = self.call("POST", "/auth/token", {"email": email, "password": password})
        self._headers["Authorization"] = f"Bearer {answer['token']}"

    def order(self, sku: str, quantity: int) -> Any:
        """Place one order. All tries carry one key, so an answer that was lost on the way costs no second order."""
        return self.call("POST", "/orders", {"items": [{"sku": sku, "quantity": quantity}]}, key=str(uuid4()))

    def wait(self, order: Any) -> Any:
        """Return the order once it is final."""
        while order["status"] not in FINAL:
            time.sleep(FIRST_PAUSE)
            order = self.call("GET", f"/orders/{order['id']}")
        return order

    def call(self, method: str, path: str, body: object = None, *, key: str = "") -> Any:
        """Return the answer, asking again with growing pauses while there is none. Raises HTTPError for a refusal."""
        pause = FIRST_PAUSE
        while True:
            try:
                return self._ask(method, path, body, {"Idempotency-Key": key} if key else {})
            except NotNow as error:
                seconds = max(error.retry_after, random.uniform(pause / 2, pause))
                print(f"{method} {path}: {error}; again in {seconds:.1f} s")
                time.sleep(seconds)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _ask(self, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, data, self._headers | headers, method=method)
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except HTTPError as error:
            if not may_pass(error):
                raise
            with error:
                raise NotNow(str(error), float(error.headers.get("Retry-After", 0))) from error
        except (OSError, HTTPException) as error:  # no answer, or half of one
            raise NotNow(repr(error)) from error


def may_pass(error: HTTPError) -> bool:
    """Tell whether to ask again: the server is busy or away, or still at work on the first request of this key."""
    if error.code == HTTPStatus.CONFLICT:
        return bool(json.load(error)["code"] == "idempotency_key_in_use")
    return error.code in (429, 502, 503, 504)


def main(sku: str, quantity: str) -> None:
    """Order, and say what became of it."""
    shop = Shop(os.environ.get("SHOP", "http://127.0.0.1:8000"))
    shop.sign_in(os.environ.get("EMAIL", "ada@example.com"), os.environ.get("DEMO_PASSWORD", "demo-password"))
    order = shop.order(sku, int(quantity))
    print(f"{order['number']} is accepted")
    print(f"{order['number']} is {shop.wait(order)['status']}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except HTTPError as refusal:
        sys.exit(f"{refusal}\n{refusal.read().decode()}")
