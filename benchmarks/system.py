"""One app, running: its own database on the embedded PostgreSQL, its own number on the embedded Valkey."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from redis import Redis

from benchmarks import books
from benchmarks.apps import App
from benchmarks.books import Books
from benchmarks.load import Shop
from local.errors import LocalError
from local.log import Log
from local.servers import Servers
from local.settings import CHECKOUT, free_port
from local.supervisor import Supervisor

START_SECONDS = 90.0
"""Time for web and workers to be ready on a busy machine."""

POLL = 0.1
"""Seconds between two looks."""


class System:
    """An app under load. The supervisor starts again what ends, and `exits` counts that."""

    def __init__(self, app: App, servers: Servers, folder: Path, log: Log) -> None:
        self.app = app
        self.servers = servers
        self.exits = 0
        self._ready: set[str] = set()
        self._log = log
        self._folder = folder
        self._port = free_port()
        self._database = f"compare-{app.name}"
        self.database_url = urlsplit(servers.database_url)._replace(path=f"/{self._database}").geturl()
        self.broker_url = urlsplit(servers.broker_url)._replace(path=f"/{app.broker_database}").geturl()
        self.supervisor = Supervisor(log=self._hear)
        for name, argv in app.processes(self._port, folder).items():
            self.supervisor.add(name, argv, self._environment())

    def start(self, pieces: Mapping[str, int], buyers: int) -> Shop:
        """Start with an empty database and broker, and these pieces in stock; return when all are ready."""
        make_empty(self.servers.database_url, self._database, self.broker_url)
        tokens = self._prepare(pieces, buyers)
        os.chdir(CHECKOUT)  # the processes are started from there
        self.supervisor.start()
        wait(lambda: self.workers <= self._ready and self._web_answers(), f"{self.app.title} is not ready")
        return Shop(self._port, self.app.path, [f"{self.app.scheme} {token}" for token in tokens])

    @property
    def workers(self) -> set[str]:
        """Names of the worker processes."""
        return {name for name in self.supervisor.processes if name.startswith("worker")}

    def kill_workers(self) -> None:
        """Kill every worker with its pool (-9)."""
        for name in self.workers:
            self.supervisor.processes[name].kill()

    def books(self) -> Books:
        """Read what is in the database."""
        return books.read(self.database_url, self.app.queries)

    def stop(self) -> None:
        """End all processes."""
        self.supervisor.stop()

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "SECRET_KEY": "only-to-compare-" + "x" * 40,
            # Counted as ever; all of the load comes from one address, and from few people.
            "RATE_LIMIT_USER": "1000000",
            "RATE_LIMIT_ADDRESS": "1000000",
            "DATA_DIR": str(self._folder),
            "STATIC_ROOT": str(self._folder / "static"),
            "PYTHONUNBUFFERED": "1",
            "LOG_FORMAT": "text",  # what is listened for stands at the end of a line
            "PYTHONWARNINGS": "ignore",
            **self.app.environment,
        }

    def _prepare(self, pieces: Mapping[str, int], buyers: int) -> list[str]:
        argv = [sys.executable, "-m", self.app.prepare, json.dumps(pieces), str(buyers)]
        done = subprocess.run(argv, env=self._environment(), cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalError(f"{self.app.title} could not be prepared: {done.stderr}")
        tokens: list[str] = json.loads(done.stdout)
        return tokens

    def _web_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
        try:
            connection.request("GET", self.app.path)
            return connection.getresponse().status == http.HTTPStatus.UNAUTHORIZED
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _hear(self, name: str, line: str) -> None:
        if " ready." in line:  # Celery's words, in a line of text or of JSON
            self._ready.add(name)
        if "; starting again in " in line:  # the supervisor's
            self.exits += 1
        self._log(name, line)


def make_empty(server_url: str, database: str, broker_url: str) -> None:
    """Make a database anew on the server of that URL, and empty a place in the broker."""
    name = sql.Identifier(database)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    with Redis.from_url(broker_url) as broker:
        broker.flushdb()


@contextlib.contextmanager
def running(app: App, servers: Servers, folder: Path, log: Log) -> Iterator[System]:
    """Have an app that can be started, and end it afterwards."""
    system = System(app, servers, folder, log)
    try:
        yield system
    finally:
        system.stop()


def wait(probe: Callable[[], bool], otherwise: str) -> None:
    """Return when the probe says so. Raises LocalError when that takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not probe():
        if time.monotonic() > deadline:
            raise LocalError(f"{otherwise} after {START_SECONDS:g} s; the log says why")
        time.sleep(POLL)
