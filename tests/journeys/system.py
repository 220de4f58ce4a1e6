"""The whole running system, as `make run` starts it, with short leases so that tests need not wait long."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from aiosmtpd.controller import Controller
from celery import Celery

from events.broker_url import read_broker_url
from events.tests.waiting import until
from local.mail import ANSWER_FILE, MailServer
from local.processes import ONE_A_QUEUE, commands
from local.servers import VARIABLES, Server, Servers, start_servers
from local.settings import CHECKOUT, Settings, free_port
from local.supervisor import Supervisor
from testing.processes import HIGH_LIMITS
from tests.journeys.client import Answer, Api, basic, call

logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells every command

PASSWORD = "journey-password"
FLOWER_AUTH = "flower:journey-flower"
GRPC_TOKEN = "journey-grpc-token"
LEASE = 5  # seconds
OURS = ("web", "grpc", "relay", "worker-", "beat", "flower")  # beginnings of the names of processes that have our log
START = 180  # seconds for all processes to start on a machine that is busy with other things


class Mailbox(MailServer):
    """The mail server of `make run`, which here keeps what it takes, and misbehaves when told to."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.mails: list[bytes] = []
        self.hangs = False  # while this holds, no mail is answered
        self.dies = 0  # so many mails are taken, and the connection is cut in place of an answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        while self.hangs:
            await asyncio.sleep(0.05)
        answer = self.answer()
        if answer.startswith("250"):
            self.mails.append(envelope.content)
            if self.dies > 0:
                self.dies -= 1
                server.transport.abort()
        return answer

    def about(self, text: str) -> list[str]:
        return [mail.decode() for mail in list(self.mails) if text in mail.decode()]


class GivenBroker(Protocol):
    """A server that a test brings, and the BROKER_URL that leads there."""

    server: Server

    @property
    def url(self) -> str: ...


class System:
    """What a journey may touch: the API, the servers and processes, the tables, the mailbox, Flower.

    Its broker is the embedded Valkey, or the one that is given. `more` are variables of its environment.
    """

    def __init__(self, folder: Path, broker: GivenBroker | None = None, more: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.mailbox = Mailbox(folder)
        self._smtp = Controller(self.mailbox, hostname="127.0.0.1", port=free_port())
        self._log = (folder / "run.log").open("w", buffering=1)
        ports = {"web_port": free_port(), "flower_port": free_port(), "grpc_port": free_port()}
        settings = Settings(**ports, data_dir=folder, demo_password=PASSWORD)
        self.grpc = f"127.0.0.1:{settings.grpc_port}"
        self.web = f"http://127.0.0.1:{settings.web_port}"
        self.flower_url = f"http://127.0.0.1:{settings.flower_port}"
        self.others = Supervisor(log=self._write)  # of further servers that commands() starts
        embedded = ["DATABASE_URL"] if broker else VARIABLES
        self.servers: Servers = start_servers(folder, log=self._write, variables=embedded)
        self.broker: Server = broker.server if broker else self.servers.valkey
        self.environment = self._make_environment(folder)
        if broker:
            self.environment["BROKER_URL"] = broker.url
        self.supervisor = Supervisor(log=self._write)
        self.environment |= more or {}
        try:
            for name, argv in self.commands(settings).items():
                self.supervisor.add(name, argv, self.environment)
        except BaseException:
            self.others.stop()
            self.servers.stop()
            raise

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        """What runs beside the servers; `others` may get further ones here, and `environment` where they are."""
        return commands(settings, ONE_A_QUEUE)

    def start(self) -> None:
        self._smtp.start()
        self.run("-m", "local.prepare")
        self.supervisor.start()
        until("the web is ready", self.is_ready, seconds=START)
        until("Flower has seen all workers", self._workers_seen, seconds=START)

    def stop(self) -> None:
        self.supervisor.stop()
        self.others.stop()
        self.servers.stop()
        self._smtp.stop()
        self._log.close()

    @contextmanager
    def without_mail_server(self) -> Iterator[None]:
        """Close the mail server's port until the block ends."""
        port = self._smtp.port
        self._smtp.stop()
        try:
            yield
        finally:
            self._smtp = Controller(self.mailbox, hostname="127.0.0.1", port=port)
            self._smtp.start()

    @contextmanager
    def mail_answering(self, answer: str) -> Iterator[None]:
        """Have the mail server answer this to every mail."""
        file = self.folder / ANSWER_FILE
        file.write_text(answer)
        try:
            yield
        finally:
            file.unlink()

    def move(self, broker_url: str, *names: str) -> None:
        """Start these processes again, with another broker URL."""
        self.environment["BROKER_URL"] = broker_url  # the processes read it whenever they start
        for name in names:
            self.supervisor.processes[name].ask_to_stop()
        for name in names:
            self.supervisor.processes[name].stop(5)
            self.supervisor.processes[name].start()
        until("the web is ready", self.is_ready, seconds=60)

    def run(self, *arguments: str, **variables: str) -> str:
        """Run Python in the system's environment, and these variables, and return its output."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment | variables,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def is_ready(self) -> bool:
        try:
            return self.ready().status == 200
        except OSError:
            return False

    def ready(self) -> Answer:
        return call("GET", f"{self.web}/health/ready")

    def person(self, name: str) -> Api:
        """Sign somebody in, once the web is there.

        A test before may have killed one of its processes twice in a few seconds: granian takes that for a crash that
        never ends, and the whole web is started anew.
        """

        def signed_in() -> Any:
            try:
                return Api(self.web).sign_in(f"{name}@example.com", PASSWORD)
            except OSError:
                return None

        api: Api = until(f"{name} is signed in", signed_in, seconds=START)
        return api

    def flower(self, path: str) -> Answer:
        return call("GET", self.flower_url + path, Authorization=basic(FLOWER_AUTH))

    def flower_state(self, delivery_id: str) -> str:
        answer = self.flower(f"/api/task/info/{delivery_id}")
        return str(answer.json["state"]) if answer.status == 200 else "unknown"

    def sql(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        with psycopg.connect(self.servers.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def delivery(self, order: Any, handler: str) -> tuple[str, str, int]:
        """Return id, state and attempts of the order's newest delivery to a handler; empty while there is none."""
        rows = self.sql(
            "SELECT id::text, state, attempts FROM events_delivery WHERE subject = %s AND handler = %s"
            " ORDER BY sequence DESC LIMIT 1",
            order["id"],
            handler,
        )
        return rows[0] if rows else ("", "", 0)

    @contextmanager
    def locked(self, sku: str) -> Iterator[None]:
        """Hold the stock row of a product, so that its reservations have to wait."""
        with psycopg.connect(self.servers.database_url) as connection:
            connection.execute(
                "SELECT 1 FROM inventory_stockitem s JOIN inventory_product p ON p.id = s.product_id"
                " WHERE p.sku = %s FOR UPDATE OF s",
                [sku],
            )
            yield

    def lines(self, *names: str) -> list[str]:
        """Return what the processes have logged whose names begin so, without these names."""
        lines = (self.folder / "run.log").read_text().splitlines()
        return [line for name, _, line in (line.partition(" | ") for line in lines) if name.startswith(names)]

    def log(self) -> list[dict[str, Any]]:
        """Return what our processes have logged, where that is JSON."""
        return [json.loads(line) for line in self.lines(*OURS) if line.startswith("{")]

    def celery(self) -> Celery:
        broker = read_broker_url(self.environment["BROKER_URL"])
        app = Celery(broker=broker.url, broker_use_ssl=broker.tls, set_as_current=False)
        app.conf.update(broker_transport_options=broker.options, task_create_missing_queue_type=broker.queue_type)
        return app

    def _workers_seen(self) -> bool:
        workers = sum(name.startswith("worker-") for name in self.supervisor.processes)
        try:
            return bool(sum(worker["status"] for worker in self.flower("/workers?json=1").json["data"]) == workers)
        except OSError:
            return False

    def _write(self, name: str, line: str) -> None:
        self._log.write(f"{name:<20} | {line}\n")

    def _make_environment(self, folder: Path) -> dict[str, str]:
        return {
            **os.environ,
            **HIGH_LIMITS,
            **self.servers.urls,
            "EMBEDDED": "1",
            "DATA_DIR": str(folder),
            "REPORTS_DIR": str(folder / "reports"),
            "STATIC_ROOT": str(folder / "static"),
            "SECRET_KEY": "only-for-journeys-" + "x" * 40,
            "DEMO_PASSWORD": PASSWORD,
            "FLOWER_BASIC_AUTH": FLOWER_AUTH,
            "GRPC_SERVICE_TOKENS": GRPC_TOKEN,
            "FLOWER_URL": self.flower_url,
            "EMAIL_URL": f"smtp://127.0.0.1:{self._smtp.port}",
            "EVENTS_LEASE": str(LEASE),
            "EVENTS_BACKOFF_FIRST": "0.2",
            "EVENTS_BACKOFF_LONGEST": "1",
            "CHECK_STOCK_SECONDS": "5",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "ordersite.settings",
        }
