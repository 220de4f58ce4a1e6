"""A small HTTP client, as anyone would write one."""

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any
from uuid import uuid4

from events.tests.waiting import until

TIMEOUT = 15  # seconds


@dataclass(frozen=True)
class Answer:
    status: int
    headers: "Message[str, str]"
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(method: str, url: str, body: object = None, **headers: str) -> Answer:
    """Send a request; headers are given with underscores. An error status is an answer too."""
    data = None if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **names}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def basic(user_and_password: str) -> str:
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


class Api:
    """The API as one person uses it."""

    def __init__(self, web: str) -> None:
        self._base = f"{web}/api/v1"
        self._token = ""

    def sign_in(self, email: str, password: str) -> "Api":
        answer = self.post("/auth/token", {"email": email, "password": password})
        assert answer.status == 200, answer.body
        self._token = answer.json["token"]
        return self

    @property
    def token(self) -> str:
        """The bearer token, for another client."""
        return self._token

    def get(self, path: str) -> Answer:
        return self._call("GET", path, None)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self._call("POST", path, body if body is not None else {}, **headers)

    def delete(self, path: str) -> Answer:
        return self._call("DELETE", path, None)

    def order(self, sku: str, quantity: int = 1) -> Any:
        """Place an order and return it."""
        answer = self.post("/orders", {"items": [{"sku": sku, "quantity": quantity}]}, Idempotency_Key=str(uuid4()))
        assert answer.status == 201, answer.body
        return answer.json

    def status(self, order: Any) -> str:
        return str(self.get(f"/orders/{order['id']}").json["status"])

    def _call(self, method: str, path: str, body: object, **headers: str) -> Answer:
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return call(method, self._base + path, body, **headers)


def confirmed(api: Api, order: Any, *, seconds: float = 30) -> None:
    until("the order is confirmed", lambda: api.status(order) == "confirmed", seconds=seconds)
