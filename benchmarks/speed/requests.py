"""The requests that are sent, as bytes."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from uuid import uuid4

LINES = 3
"""Lines an order."""


def orders(path: str, skus: Sequence[str], headers: Sequence[Mapping[str, str]]) -> Iterator[bytes]:
    """Yield orders of three lines for ever, of one piece each; the buyers, each given by headers, in turn."""
    for number in itertools.count():
        items = [{"sku": skus[(number * LINES + line) % len(skus)], "quantity": 1} for line in range(LINES)]
        body = json.dumps({"items": items}).encode()
        more = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        yield request("POST", path, {**headers[number % len(headers)], **more}, body)


def reads(path: str, headers: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the same GET for ever."""
    return itertools.repeat(request("GET", path, headers))


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    length = {"Content-Length": str(len(body))} if body else {}
    lines = [f"{name}: {value}" for name, value in {"Host": "127.0.0.1", **headers, **length}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body
