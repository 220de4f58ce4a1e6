"""The bus as a wheel in an empty virtual environment, beside the project of examples/minimal/: nothing else of ours."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from events.tests.waiting import until
from local.settings import CHECKOUT

NAME = "bus_alone"
NO_INDEX = ("dns error", "error sending request", "Failed to fetch")  # what uv prints then
UV = Path(sys.executable).with_name("uv")
PUBLISH = """
import sys, django
django.setup()
from uuid import uuid4
from django.db import transaction
from event_types import GuestInvitedV1
from events.publishing import publish
with transaction.atomic():
    publish(GuestInvitedV1(guest_id=uuid4(), name=sys.argv[1]))
"""
# A person in the admin: the first page, the list of dead letters, one of them, and a replay of it.
PERSON = """
import json, django
django.setup()
from django.contrib.auth.models import User
from django.test import Client
from events.models import DeadLetter
letter = DeadLetter.objects.get(state="dead")
client = Client(headers={"host": "localhost"})
client.force_login(User.objects.create_superuser("root"))
page = "/admin/events/deadletter/"
answers = [client.get(path) for path in ("/admin/", page, f"{page}{letter.pk}/change/", "/admin/events/event/")]
answers.append(client.post(page, {"action": "replay", "_selected_action": letter.pk}, follow=True))
print(json.dumps([[answer.status_code, answer.content.decode()] for answer in answers]))
"""


class Project:
    """The minimal project, installed beside the wheel."""

    def __init__(self, folder: Path, environment: dict[str, str], database: "psycopg.Connection[Any]") -> None:
        self.folder = folder
        self.environment = environment
        self.python = folder / ".venv" / "bin" / "python"
        self.database = database

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, *arguments: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """Have a process of it at work, in a group of its own, which is killed at the end."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [self.python, *arguments],
                cwd=self.folder,
                env=self.environment | more,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def delivery(self, name: str) -> tuple[str, int, str]:
        """Return the state of the delivery about this guest, its attempts, and its last error's type."""
        row = self.database.execute(
            "SELECT d.state, d.attempts, d.error_type FROM events_delivery d JOIN events_event e ON e.id = d.event_id"
            " WHERE e.data ->> 'name' = %s",
            [name],
        ).fetchone()
        assert row
        return str(row[0]), int(row[1]), str(row[2])

    def accounts(self, name: str) -> int:
        row = self.database.execute("SELECT count(*) FROM auth_user WHERE first_name = %s", [name]).fetchone()
        assert row
        return int(row[0])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "wheel" / "build.py", tmp_path], check=True, capture_output=True
    )
    folder = tmp_path / "minimal"
    shutil.copytree(CHECKOUT / "examples" / "minimal", folder)
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / ".venv"], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    python, lock = folder / ".venv" / "bin" / "python", CHECKOUT / "requirements.lock"  # the versions that we have too
    install: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", python, "--constraint", lock, wheel]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if any(sign in installed.stderr for sign in NO_INDEX):
        pytest.skip("the package index cannot be reached, so the wheel is installed nowhere")
    assert installed.returncode == 0, installed.stderr
    broker = urlsplit(os.environ["BROKER_URL"])._replace(path="/9").geturl()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME}")
        connection.execute(f"CREATE DATABASE {NAME}")
        at = connection.info
        server = {"PGHOST": at.host, "PGPORT": str(at.port), "PGUSER": at.user, "PGPASSWORD": at.password}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "settings"}
    environment |= {name: value for name, value in server.items() if value}
    environment |= {"PGDATABASE": NAME, "BROKER_URL": broker, "SECRET_KEY": "x" * 50}
    redis.Redis.from_url(broker).flushdb()
    with psycopg.connect(os.environ["DATABASE_URL"], dbname=NAME, autocommit=True) as database:
        yield Project(folder, environment, database)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


WORKER = ("-m", "celery", "-A", "settings", "worker", "-Q", "guests", "-c", "1")


def test_the_bus_alone_loses_nothing_doubles_nothing_and_shows_what_failed(project: Project) -> None:
    assert "No changes detected" in project.run("-m", "django", "makemigrations", "--check", "--dry-run")
    project.run("-m", "django", "check", "--fail-level", "WARNING")
    project.run("-m", "django", "migrate")
    failpoints = project.folder / "failpoints"
    failpoints.mkdir()
    (failpoints / "applied guests.make_account").write_text("kill")
    with project.running("-m", "django", "relay"):
        with project.running(*WORKER, FAILPOINTS=str(failpoints)) as worker:
            project.run("-c", PUBLISH, "Ada")
            until("the handler's process is killed", lambda: not list(failpoints.iterdir()), seconds=60)
            assert project.accounts("Ada") == 0
            worker.kill()
        project.database.execute("UPDATE events_delivery SET lease_until = now(), lease_seconds = 0")  # it is over
        with project.running(*WORKER):
            until("the delivery is done", lambda: project.delivery("Ada")[0] == "done", seconds=60)
            assert (project.delivery("Ada")[1], project.accounts("Ada")) == (2, 1)

            project.database.execute("ALTER TABLE auth_user ADD CONSTRAINT no_eve CHECK (first_name <> 'Eve')")
            project.run("-c", PUBLISH, "Eve")
            until("it is a dead letter", lambda: project.delivery("Eve")[0] == "dead", seconds=60)
            assert project.delivery("Eve")[1:] == (3, "django.db.utils.IntegrityError")
            project.database.execute("ALTER TABLE auth_user DROP CONSTRAINT no_eve")
            front, letters, letter, events, replayed = json.loads(project.run("-c", PERSON))
            assert {status for status, _ in (front, letters, letter, events, replayed)} == {200}
            assert "guests.make_account" in letters[1]
            assert "no_eve" in letter[1]
            assert "1 will be sent again." in replayed[1]
            until("the replay is done", lambda: project.delivery("Eve")[0] == "done", seconds=60)
            assert project.accounts("Eve") == 1
