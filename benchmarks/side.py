"""One of the things that are measured: its processes, its database, its place in the broker."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from redis import Redis

from benchmarks.kinds import Kind
from local.errors import LocalError
from local.log import Log
from local.settings import CHECKOUT, free_port
from local.supervisor import Supervisor

BUYERS = 20
SHELF = {f"TEA-{number}": 1_000_000 for number in range(20)}
"""Pieces by sku: never short, so that every order does all of the work."""

START_SECONDS = 90.0
"""Time for web and workers to be ready on a busy machine."""

STOP_SECONDS = 30.0
"""Time for processes to end by themselves: a worker finishes what it has begun."""

POLL = 0.1
"""Seconds between two looks whether all are ready."""


@dataclass(frozen=True)
class Place:
    """Where all sides live: two servers, a folder for what they write, and the log."""

    database_url: str
    broker_url: str
    folder: Path
    log: Log


class Side:
    """A side that can be started in parts, and looked into. What ends is started again, and `exits` counts that."""

    def __init__(self, kind: Kind, place: Place, *, database: str, broker: int) -> None:
        self.kind = kind
        self.port = free_port()
        self.database_url = urlsplit(place.database_url)._replace(path=f"/{database}").geturl()
        self.broker_url = urlsplit(place.broker_url)._replace(path=f"/{broker}").geturl()
        self._place, self._database = place, database
        self._ready: set[str] = set()
        self.exits = 0
        self.supervisor = Supervisor(log=self._hear)
        for name, argv in kind.processes(self.port, place.folder).items():
            self.supervisor.add(name, argv, self.environment)
        self.tokens: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes: as in production, with limits that are counted and not reached."""
        return {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "SECRET_KEY": "only-to-measure-" + "x" * 40,
            # Counted as ever; all of the load comes from one address, and from few people.
            "RATE_LIMIT_USER": "100000000",
            "RATE_LIMIT_ADDRESS": "100000000",
            "DATA_DIR": str(self._place.folder),
            "STATIC_ROOT": str(self._place.folder / "static"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
            **self.kind.environment,
        }

    def create(self, pieces: Mapping[str, int], buyers: int) -> None:
        """Make its database anew, with these products and so many buyers; empty its place in broker and Flower."""
        for kept in self._place.folder.glob("flower*"):
            kept.unlink()
        name = sql.Identifier(self._database)
        with psycopg.connect(self._place.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        with Redis.from_url(self.broker_url) as broker:
            broker.flushdb()
        self.tokens = json.loads(self.run(self.kind.prepare, json.dumps(pieces), str(buyers)))

    def run(self, module: str, *arguments: str) -> str:
        """Run a module in its environment, and return what it prints. Raises LocalError."""
        argv = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(argv, env=self.environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalError(f"{self.kind.name}: {module} failed: {done.stderr[-2_000:]}")
        return done.stdout

    @property
    def users(self) -> list[str]:
        """The buyers' ids."""
        return [row[0] for row in self.sql("SELECT id::text FROM users_user ORDER BY email")]

    def start(self, *names: str) -> None:
        """Start these processes, all without names, and return when they are ready. Raises LocalError."""
        os.chdir(CHECKOUT)  # the processes are started from there
        chosen = names or tuple(self.supervisor.processes)
        self._ready -= set(chosen)
        for name in chosen:
            self.supervisor.processes[name].start()
        deadline = time.monotonic() + START_SECONDS
        while not all(self._is_ready(name) for name in chosen):
            if time.monotonic() > deadline:
                raise LocalError(f"{self.kind.name} is not ready after {START_SECONDS:g} s; the log says why")
            time.sleep(POLL)

    def stop(self, *names: str) -> None:
        """End these processes, all without names."""
        chosen = [self.supervisor.processes[name] for name in names or self.supervisor.processes]
        for process in chosen:
            process.ask_to_stop()
        for process in chosen:
            process.stop(STOP_SECONDS)

    def sql(self, query: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def _is_ready(self, name: str) -> bool:
        return self._answers() if name == "web" else name in self._ready or name not in self.kind.ready

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _hear(self, name: str, line: str) -> None:
        if self.kind.ready.get(name, "\0") in line:
            self._ready.add(name)
        if "; starting again in " in line:  # the supervisor's words
            self.exits += 1
        self._place.log(f"{self.kind.name} {name}", line)


@contextlib.contextmanager
def side(
    kind: Kind,
    place: Place,
    *,
    broker: int,
    database: str = "",
    pieces: Mapping[str, int] = SHELF,
    buyers: int = BUYERS,
) -> Iterator[Side]:
    """Have a side with an empty database, nothing of it started; end it afterwards."""
    it = Side(kind, place, database=database or f"bench-{kind.name.lower().replace(' ', '-')}", broker=broker)
    try:
        it.create(pieces, buyers)
        yield it
    finally:
        it.supervisor.stop(STOP_SECONDS)
