"""Clients that open connections and then take their time, as a stranger with a laptop can in any number."""

import multiprocessing
import resource
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

HOST = b"Host: localhost\r\n"
BODY = (
    b"POST /api/v1/auth/token HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
)
HEAD = b"GET /api/v1/products HTTP/1.1\r\n" + HOST + b"X-Slow: "
IDLE = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"

MANY: Mapping[bytes, int] = {BODY: 500, HEAD: 2_000, IDLE: 2_000}
"""How many connections send each of these, and nothing more for a long time."""

SOURCE = "127.0.0.2"
"""Their address. On 127.0.0.1 they would use up the ports on which other tests are about to start servers."""

TICK = 1.0  # seconds from one further byte of each slow request to the next
FILES = 16_384


class SlowClients:
    """A process that keeps so many connections of each kind open: what the server closes is opened again.

    A process of its own: as a thread, it would take the interpreter from the very client that is timed beside it.
    """

    def __init__(self, url: str, wanted: Mapping[bytes, int]) -> None:
        processes = multiprocessing.get_context("spawn")
        self._stop = processes.Event()
        self._all_open = processes.Event()
        self._timed_out = processes.Event()
        self._process = processes.Process(
            target=keep_open, args=(url, wanted, self._stop, self._all_open, self._timed_out)
        )

    @property
    def all_open(self) -> bool:
        """Whether nearly all were open at once: some are always being closed by the server, and opened again."""
        return self._all_open.is_set()

    @property
    def timed_out(self) -> bool:
        """Whether one of them was answered 408."""
        return self._timed_out.is_set()

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        self._stop.set()
        self._process.join()


def keep_open(url: str, wanted: Mapping[bytes, int], stop: Event, all_open: Event, timed_out: Event) -> None:
    """Keep the connections open until `stop` is set."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    where = urlsplit(url)
    clients: dict[bytes, set[socket.socket]] = {kind: set() for kind in wanted}
    while not stop.wait(TICK):
        for kind, number in wanted.items():
            for client in list(clients[kind]):
                answer = drip(kind, client)
                if answer is None:
                    continue
                clients[kind].remove(client)
                client.close()
                if b" 408 " in answer:
                    timed_out.set()
            while len(clients[kind]) < number and not stop.is_set():
                clients[kind].add(connect((where.hostname or "", where.port or 80), kind))
        if all(len(clients[kind]) >= number * 0.9 for kind, number in wanted.items()):
            all_open.set()


def connect(address: tuple[str, int], kind: bytes) -> socket.socket:
    client = socket.create_connection(address, timeout=10, source_address=(SOURCE, 0))
    client.sendall(kind)
    if kind is IDLE:
        client.recv(4_096)
    client.setblocking(False)
    return client


def drip(kind: bytes, client: socket.socket) -> bytes | None:
    """Send one byte more. Return None, or, once the server has closed the connection, its answer."""
    with suppress(BlockingIOError):
        try:
            if kind is not IDLE:
                client.send(b"a")
            return client.recv(4_096)
        except ConnectionError:
            return b""
    return None


@contextmanager
def slow_clients(url: str, wanted: Mapping[bytes, int] = MANY) -> Iterator[SlowClients]:
    """Have these clients at the web until the block ends."""
    clients = SlowClients(url, wanted)
    clients.start()
    try:
        yield clients
    finally:
        clients.stop()
