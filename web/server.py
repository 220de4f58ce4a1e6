"""Starts granian with our limits, and restarts its workers when they no longer answer."""

import contextlib
import http.client
import logging
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

logger = logging.getLogger(__name__)

WORKERS = 2
DRAIN_SECONDS = 15  # for requests in flight after SIGTERM: PostgreSQL ends a statement of the web after 10 s
# For the head of a request, from the moment the connection was opened or last answered. So it is also how long a
# connection may idle. A connection costs no thread; this bounds how many there are.
HEAD_SECONDS = 15
HEAD_BYTES = 65_536
CONNECTIONS = 8_192  # per worker. Each takes about 10 kB while its client sends nothing
BACKLOG = 4_096  # connections that the kernel holds until a worker takes them; Linux caps it at net.core.somaxconn
SPARE_FILES = 256  # file descriptors for everything that is not a client's connection

LOOK_SECONDS = 5.0  # from one look at /health/live to the next, and for its answer
# FAILURES of the last LOOKS without an answer, and the workers are restarted. The kernel spreads connections over the
# workers, so one dead worker of two fails only every other look.
LOOKS = 6
FAILURES = 3

_LOG = {"formatters": {name: {"()": "telemetry.logs.make_formatter"} for name in ("generic", "access")}}


class Server(MPServer):
    """Granian. Told to end, it first serves on for `linger` seconds, in which /health/ready says that it ends.

    So a proxy sends nothing more here before the port is closed: what the kernel has accepted by then is cut off.
    """

    linger = 0.0
    leaving: Path

    def shutdown(self, exit_code: int = 0) -> None:
        """Say so, wait, and end; granian calls this once it is told to."""
        if self.linger and self.interrupt_signal:  # and not because its workers end one after the other
            try:
                self.leaving.touch()
                time.sleep(self.linger)
            except OSError as error:  # somebody has tidied /tmp up
                logger.warning("the proxy cannot be told that this web ends: %s", error)
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]


def serve(host: str, port: int, linger: float) -> None:
    """Serve until SIGTERM, and `linger` seconds more."""
    with tempfile.TemporaryDirectory(prefix="ordersite-web-") as folder:
        leaving = Path(folder, "leaving")
        os.environ["WEB_LEAVING_FILE"] = str(leaving)  # the workers look whether it is there (ordersite/health.py)
        _serve(host, port, linger, leaving)


def _serve(host: str, port: int, linger: float, leaving: Path) -> None:
    _allow_files(CONNECTIONS + SPARE_FILES)
    server = Server(
        "web.app:front",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        workers=WORKERS,
        # HTTP/2 in clear serves no browser and no proxy here, and a client that breaks off in it can stop a worker.
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1_000, max_buffer_size=HEAD_BYTES),
        log_dictconfig=_LOG,
        respawn_failed_workers=True,
        respawn_interval=1.0,
        workers_kill_timeout=DRAIN_SECONDS,
    )
    server.linger, server.leaving = linger, leaving
    # Not by fork: the thread below may hold a lock at that moment (of an import, of the log), and so would the worker.
    multiprocessing.set_start_method("spawn")
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to
    threading.Thread(target=watch, args=(loopback.get(host, host), port), name="watch", daemon=True).start()
    server.serve()


def watch(host: str, port: int) -> None:
    """Kill the workers whenever they stop answering /health/live; the server starts new ones. Never returns."""
    while True:
        while not is_alive(host, port):  # starting
            time.sleep(LOOK_SECONDS)
        failed: deque[bool] = deque(maxlen=LOOKS)
        while sum(failed) < FAILURES:
            time.sleep(LOOK_SECONDS)
            failed.append(not is_alive(host, port))
        logger.error("/health/live failed %d of the last %d times: the workers are restarted", FAILURES, LOOKS)
        for worker in multiprocessing.active_children():
            worker.kill()


def is_alive(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=LOOK_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health/live")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _allow_files(number: int) -> None:
    """Raise the limit on open files to this number where the hard limit allows it; many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
