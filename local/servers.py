"""The embedded PostgreSQL and Valkey, for `make run` and for the tests."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

from . import postgres, valkey
from .errors import LocalError
from .guard import Guard
from .log import Log
from .postgres import Postgres
from .process import Process
from .supervisor import Supervisor
from .valkey import Valkey

VARIABLES = ("DATABASE_URL", "BROKER_URL")  # those that say where the two servers are
START_SECONDS = 60.0  # time for a server to answer: PostgreSQL may have to recover from a crash first
# Time for a server to end by itself. Two of them, and the programs before them, must be gone within 10 s.
STOP_SECONDS = 2.5
POLL = 0.02  # seconds between two questions whether a server answers


class Server:
    """A handle on one server; restarts happen on the same socket or port, and the same data."""

    def __init__(self, process: Process, answers: Callable[[], bool]) -> None:
        self._process = process
        self._answers = answers

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def start(self) -> None:
        """Start the server where it is stopped, and return when it answers.

        Raises LocalError when it does not within a minute.
        """
        self._process.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                name = self._process.command.name
                raise LocalError(f"{name} does not answer after {START_SECONDS:g} s; its own lines above say why")
            time.sleep(POLL)

    def stop(self) -> None:
        """Shut the server down, and it stays down until `start`."""
        self._process.stop(STOP_SECONDS)

    def kill(self) -> None:
        """Kill the server (-9) and see it dead; unless stopped, it is started again at once."""
        victim = self.pid
        self._process.kill()
        while victim and self.pid == victim:
            time.sleep(POLL)


class Servers:
    """The servers that run, and the environment variables that point to them. `with` stops them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._servers: dict[str, Server] = {}
        self.urls: dict[str, str] = {}

    @property
    def postgres(self) -> Server:
        return self._servers["postgres"]

    @property
    def valkey(self) -> Server:
        return self._servers["valkey"]

    @property
    def database_url(self) -> str:
        return self.urls["DATABASE_URL"]

    @property
    def broker_url(self) -> str:
        return self.urls["BROKER_URL"]

    def launch(self, variable: str, server: Postgres | Valkey) -> None:
        command = server.command()
        process = self._supervisor.add_command(command)
        process.start()
        self._servers[command.name] = Server(process, server.answers)
        self.urls[variable] = server.url

    def start(self) -> None:
        """Return when all servers answer; those that are stopped it starts."""
        for server in self._servers.values():
            server.start()

    def stop(self) -> None:
        """Shut the servers down one after the other, and end the supervision of them."""
        for server in self._servers.values():
            server.stop()
        self._supervisor.stop()

    def kill(self) -> None:
        """Kill what a running `stop` waits for."""
        self._supervisor.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def start_servers(
    data_dir: Path, *, log: Log, guard: Guard | None = None, variables: Collection[str] = VARIABLES
) -> Servers:
    """Start the server that each variable is to point to, and return when they answer.

    Raises LocalError when one cannot start.
    """
    data_dir = data_dir.resolve()
    servers = Servers(Supervisor(log=log, guard=guard))
    try:
        if "BROKER_URL" in variables:
            servers.launch("BROKER_URL", valkey.prepare(data_dir))
        if "DATABASE_URL" in variables:
            servers.launch("DATABASE_URL", postgres.prepare(data_dir, log))
        servers.start()
    except BaseException:
        servers.stop()
        raise
    return servers
