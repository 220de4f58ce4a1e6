"""Clients that open connections and then take their time, as a stranger with a laptop can in any number."""

import resource
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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
    """Keeps so many connections of each kind open: what the server closes is opened again."""

    def __init__(self, url: str, wanted: Mapping[bytes, int]) -> None:
        where = urlsplit(url)
        self._address = (where.hostname or "", where.port or 80)
        self._wanted = wanted
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_open)
        self.open: dict[bytes, set[socket.socket]] = {kind: set() for kind in wanted}
        self.answers: list[bytes] = []

    @property
    def all_open(self) -> bool:
        """Whether nearly all are: some are always being closed by the server, and opened again."""
        return all(len(self.open[kind]) >= number * 0.9 for kind, number in self._wanted.items())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        for kind in self.open.values():
            for client in kind:
                client.close()

    def _keep_open(self) -> None:
        while not self._stop.wait(TICK):
            for kind, number in self._wanted.items():
                for client in list(self.open[kind]):
                    self._drip(kind, client)
                while len(self.open[kind]) < number and not self._stop.is_set():
                    self._connect(kind)

    def _connect(self, kind: bytes) -> None:
        client = socket.create_connection(self._address, timeout=10, source_address=(SOURCE, 0))
        client.sendall(kind)
        if kind is IDLE:
            client.recv(4_096)
        client.setblocking(False)
        self.open[kind].add(client)

    def _drip(self, kind: bytes, client: socket.socket) -> None:
        """Send one byte more; note what was answered, and that the server has closed the connection."""
        with suppress(BlockingIOError):
            try:
                if kind is not IDLE:
                    client.send(b"a")
                answer = client.recv(4_096)
            except ConnectionError:
                answer = b""
            self.answers.append(answer)
            self.open[kind].remove(client)
            client.close()


@contextmanager
def slow_clients(url: str, wanted: Mapping[bytes, int] = MANY) -> Iterator[SlowClients]:
    """Have these clients at the web until the block ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    clients = SlowClients(url, wanted)
    clients.start()
    try:
        yield clients
    finally:
        clients.stop()
