"""HTTP clients that cost little themselves: keep-alive sockets, requests as bytes, one thread.

A client library costs more processor time a request than the servers measured here, on the same cores.
"""

import itertools
import json
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from local.errors import LocalError

TIMEOUT = 30.0
"""Seconds without any answer after which a run fails."""


LINES = 3
"""Lines an order."""


def orders(path: str, skus: Sequence[str], headers: Sequence[Mapping[str, str]], lines: int = LINES) -> Iterator[bytes]:
    """Yield orders for ever, of one piece a line; the buyers, each given by headers, in turn."""
    for number in itertools.count():
        items = [{"sku": skus[(number * lines + line) % len(skus)], "quantity": 1} for line in range(lines)]
        body = json.dumps({"items": items}).encode()
        more = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        yield request("POST", path, {**headers[number % len(headers)], **more}, body)


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    length = {"Content-Length": str(len(body))} if body else {}
    lines = [f"{name}: {value}" for name, value in {"Host": "127.0.0.1", **headers, **length}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


class NoAnswer(LocalError):
    """A server closed the connection under a request, or did not answer in time."""


@dataclass
class Run:
    """What the clients saw: seconds by request, from when each was due; and what was no 2xx or 3xx."""

    seconds: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Requests a second that were answered well."""
        return len(self.seconds) / self.took

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of the requests was answered."""
        ordered = sorted(self.seconds)
        return 1_000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Connection:
    """One socket, with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.body = b""
        self._buffer = b""
        self._due = 0.0

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was to be sent at `due` (time.perf_counter())."""
        self._due = due
        self.socket.sendall(request)

    def ask(self, request: bytes) -> int:
        """Send a request, wait for its answer, and return the status."""
        self.send(request, time.perf_counter())
        while (answer := self.receive()) is None:
            pass
        return answer[0]

    def receive(self) -> tuple[int, float] | None:
        """Read what is there; the status and the seconds since it was due once the answer, `body`, is whole."""
        chunk = self.socket.recv(262_144)
        if not chunk:
            raise NoAnswer("a server closed a connection")
        self._buffer += chunk
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark or len(body) < _length(head):
            return None
        self._buffer, self.body = b"", body
        return int(head[9:12]), time.perf_counter() - self._due


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    return int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def closed(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Run:
    """Keep so many connections busy for so long: each sends its next request when it has an answer."""
    with _Clients(port, connections) as clients:
        start = time.perf_counter()
        for client in clients.all:
            client.send(next(requests), time.perf_counter())
        while (now := time.perf_counter()) < start + seconds:
            for client in clients.answered(start + seconds - now):
                client.send(next(requests), time.perf_counter())
        clients.run.took = time.perf_counter() - start
        return clients.run


def steady(port: int, requests: Iterator[bytes], *, connections: int, seconds: float, rate: float) -> Run:
    """Send `rate` requests a second for so long, whatever becomes of them; waits count from when each was due."""
    with _Clients(port, connections) as clients:
        start = time.perf_counter()
        idle, sent, total = list(clients.all), 0, int(rate * seconds)
        while len(idle) < connections or sent < total:
            now = time.perf_counter()
            while idle and sent < total and start + sent / rate <= now:
                idle.pop(0).send(next(requests), start + sent / rate)  # in turns: none is idle until the server ends it
                sent += 1
            until = start + sent / rate - now if idle and sent < total else TIMEOUT
            idle += clients.answered(max(0.0, until))
        clients.run.took = time.perf_counter() - start
        return clients.run


class _Clients:
    """All connections of a run, and what they have seen."""

    def __init__(self, port: int, connections: int) -> None:
        self.run = Run()
        self.all = [Connection(port) for _ in range(connections)]
        self._selector = selectors.DefaultSelector()
        for client in self.all:
            self._selector.register(client.socket, selectors.EVENT_READ, client)

    def answered(self, timeout: float) -> list[Connection]:
        """Wait for answers, note them, and return the connections that have one."""
        ready = self._selector.select(timeout)
        if not ready and timeout >= TIMEOUT:
            raise NoAnswer(f"no answer within {TIMEOUT:g} s")
        return [key.data for key, _ in ready if self._note(key.data)]

    def _note(self, client: Connection) -> bool:
        answer = client.receive()
        if answer is None:
            return False
        status, seconds = answer
        if status < 400:
            self.run.seconds.append(seconds)
        else:
            self.run.refused[status] = self.run.refused.get(status, 0) + 1
        return True

    def __enter__(self) -> "_Clients":
        return self

    def __exit__(self, *exception: object) -> None:
        self._selector.close()
        for client in self.all:
            client.socket.close()
