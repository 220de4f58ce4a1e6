"""One of the things that are measured: its processes, its database, its place in the broker."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from benchmarks.system import make_empty, wait
from local.errors import LocalError
from local.log import Log
from local.processes import commands
from local.settings import CHECKOUT, Settings, free_port
from local.supervisor import Supervisor

BUYERS = 20
SHELF = {f"TEA-{number}": 1_000_000 for number in range(20)}
"""Pieces by sku: never short, so that every order does all of the work."""

STOP_SECONDS = 30.0
"""Time for processes to end by themselves: a worker finishes what it has begun."""


@dataclass(frozen=True)
class Kind:
    """How a side is started. `ready` are the processes that say so; `prepare` fills an empty database."""

    name: str
    prepare: str
    processes: Mapping[str, Sequence[str]]
    ready: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where all sides live: two servers, a folder for what they write, and the log."""

    database_url: str
    broker_url: str
    folder: Path
    log: Log


class Side:
    """A side that can be started in parts, and looked into."""

    def __init__(self, kind: Kind, place: Place, *, database: str, broker: int) -> None:
        self.kind = kind
        self.port = free_port()
        self.database_url = urlsplit(place.database_url)._replace(path=f"/{database}").geturl()
        self.broker_url = urlsplit(place.broker_url)._replace(path=f"/{broker}").geturl()
        self._place, self._database = place, database
        self._ready: set[str] = set()
        self.supervisor = Supervisor(log=self._hear)
        for name, argv in kind.processes.items():
            self.supervisor.add(name, [part.replace("{port}", str(self.port)) for part in argv], self.environment)
        self.tokens: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes: as in production, with limits that are counted and not reached."""
        return {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "SECRET_KEY": "only-to-measure-" + "x" * 40,
            "RATE_LIMIT_USER": "100000000",
            "RATE_LIMIT_ADDRESS": "100000000",
            "DATA_DIR": str(self._place.folder),
            "STATIC_ROOT": str(self._place.folder / "static"),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore",
            **self.kind.environment,
        }

    def create(self) -> None:
        """Make its database anew, with products and buyers, and empty its place in the broker."""
        make_empty(self._place.database_url, self._database, self.broker_url)
        self.tokens = json.loads(self.run(self.kind.prepare, json.dumps(SHELF), str(BUYERS)))

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
        """Start these processes, all without names, and return when they are ready."""
        os.chdir(CHECKOUT)  # the processes are started from there
        chosen = names or tuple(self.kind.processes)
        self._ready -= set(chosen)
        for name in chosen:
            self.supervisor.processes[name].start()
        wait(lambda: all(self._is_ready(name) for name in chosen), f"{self.kind.name} is not ready")

    def stop(self, *names: str) -> None:
        """End these processes, all without names."""
        chosen = [self.supervisor.processes[name] for name in names or self.kind.processes]
        for process in chosen:
            process.ask_to_stop()
        for process in chosen:
            process.stop(STOP_SECONDS)

    def sql(self, query: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """End everything."""
        self.supervisor.stop(STOP_SECONDS)

    def _is_ready(self, name: str) -> bool:
        return self._answers() if name == "web" else name in self._ready or name not in self.kind.ready

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _hear(self, name: str, line: str) -> None:
        if self.kind.ready.get(name, "\0") in line:
            self._ready.add(name)
        self._place.log(f"{self.kind.name} {name}", line)


def _ordersite(**environment: str) -> Kind:
    all_of_them = commands(Settings(web_port=1, flower_port=1, data_dir=Path(), demo_password=""))
    processes = {name: argv for name, argv in all_of_them.items() if name not in ("beat", "flower", "grpc")}
    processes["web"] = ["{port}" if before == "--port" else part for before, part in _pairs(processes["web"])]
    ready = {name: " ready." for name in processes if name.startswith("worker")}
    return Kind(
        name="ordersite",
        prepare="benchmarks.prepare_ordersite",
        processes=processes,
        ready=ready,
        environment={"DJANGO_SETTINGS_MODULE": "ordersite.settings", **environment},
    )


def _pairs(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(["", *argv], argv, strict=False)


def _plain(name: str, **processes: Sequence[str]) -> Kind:
    python = sys.executable
    web = [python, "-m", "granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "2", "--no-ws"]
    more = {key: [python, "-m", *argv] for key, argv in processes.items()}
    return Kind(
        name=name,
        prepare="benchmarks.plain.prepare",
        processes={"web": [*web, "--port", "{port}", "benchmarks.plain.wsgi:application"], **more},
        ready={"worker": " ready.", "dramatiq": "is ready for action"},
        environment={"DJANGO_SETTINGS_MODULE": "benchmarks.plain.settings"},
    )


ORDERSITE = _ordersite()
ONE_A_MESSAGE = _ordersite(EVENTS_BATCH="1")
PLAIN = _plain("plain Celery", worker=["celery", "-A", "benchmarks.plain", "worker", "-l", "INFO"])
DRAMATIQ = _plain("Dramatiq", dramatiq=["dramatiq", "-p", "2", "-t", "8", "benchmarks.plain.actors"])


@contextlib.contextmanager
def side(kind: Kind, place: Place, *, broker: int, database: str = "") -> Iterator[Side]:
    """Have a side with an empty database, nothing of it started; end it afterwards."""
    it = Side(kind, place, database=database or f"bench-{kind.name.lower().replace(' ', '-')}", broker=broker)
    try:
        it.create()
        yield it
    finally:
        it.close()
