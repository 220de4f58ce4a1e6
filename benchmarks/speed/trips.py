"""How often an order's way waits for PostgreSQL: counted between its processes and the server, by a proxy."""

import re
import selectors
import socket
import struct
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from benchmarks.kinds import everything
from benchmarks.side import SHELF, Side, side
from benchmarks.speed import wire
from benchmarks.speed.figures import Bar, Figure, Leg
from benchmarks.speed.proc import with_children
from benchmarks.speed.rounds import Bench, NotHere, bearers, good
from benchmarks.speed.work import OURS, PIECES, Work
from local.processes import ONE_A_QUEUE

RATE, SECONDS, LINES = 2.0, 20.0, 2
"""So few orders that none shares a message with another, nor a round trip."""

IN_SEQUENCE = ("web", "worker-inventory", "worker-orders")
"""Processes whose round trips come one after the other until an order is confirmed."""

HOPS = 2
"""Deliveries that come one after the other until then."""

SOCKET = ".s.PGSQL.5432"
CHUNK = 262_144


class CountingProxy:
    """Hands bytes on between clients of a socket in `folder` and the server's; counts round trips by process and kind.

    One is what a client asks before the server answers, however many statements that is.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self.trips: Counter[tuple[int, bytes]] = Counter()
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen(128)
        self._selector.register(self._listener, selectors.EVENT_READ)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._accept()
                else:
                    self._hand_on(key.data)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        pid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        asked = bytearray()
        for end in (End(pid, client, server, asked, is_client=True), End(pid, server, client, asked, is_client=False)):
            self._selector.register(end.source, selectors.EVENT_READ, end)

    def _hand_on(self, end: "End") -> None:
        if end.source.fileno() < 0:
            return  # closed with its other end, a moment ago
        try:
            chunk = end.source.recv(CHUNK)
            end.other.sendall(chunk)
        except OSError:
            chunk = b""
        if not chunk:
            for closed in (end.source, end.other):
                self._selector.unregister(closed)
                closed.close()
        elif end.is_client:
            end.asked.extend(chunk)
        elif end.asked:
            self.trips[end.pid, _kind(bytes(end.asked))] += 1
            end.asked.clear()


@dataclass(frozen=True, eq=False)
class End:
    """One end of a connection: who opened it, where its bytes go, what was asked since the last answer."""

    pid: int
    source: socket.socket
    other: socket.socket
    asked: bytearray
    is_client: bool


def _kind(asked: bytes) -> bytes:
    """Return what tells one request from another: the prepared statements' names, or the beginning of the text."""
    return b" ".join(re.findall(rb"_pg3_\d+", asked)) or asked[:80]


def trips(bench: Bench) -> Leg:
    """How often an order of two lines waits for an answer of PostgreSQL: in all, and one after the other."""
    if bench.servers is None:
        raise NotHere("the database is a given one, and the proxy stands before our own: do not set DATABASE_URL")
    url = urlsplit(bench.place.database_url)
    with tempfile.TemporaryDirectory(prefix="trips-") as folder:
        proxy = CountingProxy(Path(folder), f"{parse_qs(url.query)['host'][0]}/{SOCKET}")
        place = replace(bench.place, database_url=url._replace(query=f"host={quote(folder)}").geturl())
        with side(everything(ONE_A_QUEUE), place, broker=1) as it:
            it.start()
            _place_some(bench, it)  # warm: connections are open, statements prepared
            before = _by_process(it, proxy)
            time.sleep(SECONDS)
            at_rest = _by_process(it, proxy) - before
            before, began = _by_process(it, proxy), time.monotonic()
            orders = _place_some(bench, it)
            share = (time.monotonic() - began) / SECONDS
            found = _by_process(it, proxy)
            each = {name: (found[name] - before[name] - share * at_rest[name]) / orders for name in found}
    figures = [Figure("round trips", name, value, "") for name, value in each.items()]
    in_all = sum(each.values())
    in_sequence = sum(each[name] for name in IN_SEQUENCE) + each["relay"] * HOPS / PIECES
    bars = [
        Bar("round trips an order, in all", in_all, 45, 30, below=True),
        Bar("round trips an order, in sequence until confirmed", in_sequence, 22, 15, below=True),
    ]
    return Leg(figures, bars)


def _place_some(bench: Bench, it: Side) -> int:
    """Place orders of two lines, see them through, and return how many."""
    work = Work(it)
    orders = wire.orders(OURS, list(SHELF), bearers(it), lines=LINES)
    run = good(wire.steady(it.port, orders, connections=1, seconds=SECONDS, rate=RATE))
    work.drain(len(run.seconds) * PIECES, bench.say)
    return len(run.seconds)


def _by_process(it: Side, proxy: CountingProxy) -> Counter[str]:
    """Return the round trips of each process. The relay's polls that find nothing come whatever happens: without them;
    each claim was found by a poll before it.
    """
    names = {pid: name for name, process in it.supervisor.processes.items() for pid in with_children(process.pid or 0)}
    found: Counter[str] = Counter()
    kinds: Counter[bytes] = Counter()
    for (pid, kind), count in proxy.trips.copy().items():
        name = names.get(pid)
        if name == "relay":
            kinds[kind] += count
        elif name:
            found[name] += count
    polls = kinds.most_common(1)[0][1] if kinds else 0
    found["relay"] = 2 * (kinds.total() - polls)
    return found
