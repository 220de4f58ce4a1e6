"""`manage.py migrate` beside traffic: it waits for no lock for long, says who has it, and runs once at a time."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, migrations
from django.db.migrations.recorder import MigrationRecorder

from events.tests.servers import read_only_database
from events.tests.waiting import until
from ordersite.settings import BASE_DIR
from postgres import migrating

pytestmark = pytest.mark.django_db(transaction=True)
LATER = {"notifications": "postgres.tests.later_migrations"}
MIGRATION = ("notifications", "later")
INDEX, TABLE = "later_index", "notifications_notification"


def other(name: str = "a reader") -> "psycopg.Connection[Any]":
    return psycopg.connect(**connection.get_connection_params() | {"application_name": name})


@contextmanager
def reader(table: str) -> Iterator["psycopg.Connection[Any]"]:
    """Read a table in a transaction that stays open until the block ends."""
    with other() as session:
        session.execute(f"SELECT count(*) FROM {table}".encode())
        yield session


@contextmanager
def writer(table: str) -> Iterator[None]:
    """Write to a table in a transaction that stays open: an index that is built beside traffic waits for that."""
    with other("a writer") as session:
        session.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE".encode())
        yield


def query(sql: str, *parameters: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def index_states() -> Any:
    return query(
        "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = %s", INDEX
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "PAUSE", 0.05)
    monkeypatch.setattr(migrating, "CONCURRENT_LOCK_TIMEOUT", 0.5)


@pytest.fixture
def index_is_missing(settings: Any) -> Iterator[None]:
    """As before a migration that builds an index beside traffic."""
    settings.MIGRATION_MODULES = LATER
    yield
    query_nothing(f"DROP INDEX IF EXISTS {INDEX}")
    MigrationRecorder(connection).record_unapplied(*MIGRATION)


def query_nothing(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


class AddNote(migrations.Migration):
    """A migration that needs the lock of a table for a moment."""

    operations = [migrations.RunSQL(f"ALTER TABLE {TABLE} ADD COLUMN note_of_test text")]


@contextmanager
def a_column_to_add() -> Iterator[Any]:
    """Yield what adds a column to a table that has traffic, in a transaction, as migrate does."""

    def run() -> None:
        migration = AddNote("next", "notifications")
        with connection.schema_editor(atomic=True) as editor:
            migration.apply(migrations.state.ProjectState(), editor)

    try:
        yield run
    finally:
        query_nothing(f"ALTER TABLE {TABLE} DROP COLUMN IF EXISTS note_of_test")


def migrate(run: Any, told: list[str], attempts: int = 3) -> None:
    migrating.migrate(connection, run, patience=migrating.Patience(0.3, attempts), tell=told.append)


def test_it_gives_up_a_lock_and_says_who_has_it(impatient: None) -> None:
    told: list[str] = []
    with a_column_to_add() as run, reader(TABLE) as session:
        with pytest.raises(CommandError, match="Gave up") as caught:
            migrate(run, told)
        for text in (*told, str(caught.value)):
            assert f"pid {session.info.backend_pid} (a reader, user " in text
            assert "idle in transaction, in a transaction since 20" in text
    assert len(told) == 2
    assert query("SHOW lock_timeout") == [("0",)]


def test_traffic_passes_between_two_attempts_and_the_migration_gets_its_turn(impatient: None) -> None:
    told: list[str] = []
    with a_column_to_add() as run:
        with reader(TABLE):
            thread = threading.Thread(target=in_thread, args=(migrate, run, told, 100))
            thread.start()
            until("it waits", lambda: query("SELECT 1 FROM pg_locks WHERE NOT granted"))
            with other("an order") as order:
                order.execute("SET statement_timeout = '5s'")
                order.execute(f"SELECT count(*) FROM {TABLE}".encode())
            until("it has tried again", lambda: len(told) > 1)
        thread.join()
        assert query("SELECT 1 FROM information_schema.columns WHERE column_name = 'note_of_test'")


def in_thread(work: Any, *arguments: Any) -> None:
    try:
        work(*arguments)
    finally:
        connection.close()


def test_an_index_whose_building_was_given_up_is_built_again(impatient: None, index_is_missing: None) -> None:
    with writer(TABLE):
        with pytest.raises(CommandError, match="a writer"):
            call_command("migrate", lock_timeout=0.3, attempts=2, verbosity=0, stderr=StringIO())
        assert index_states() == [(False,)]
    call_command("migrate", verbosity=0)
    assert index_states() == [(True,)]
    assert query("SELECT count(*) FROM django_migrations WHERE app = %s AND name = %s", *MIGRATION) == [(1,)]


def test_an_index_that_an_earlier_attempt_has_built_is_kept(index_is_missing: None) -> None:
    query_nothing(f"CREATE INDEX {INDEX} ON {TABLE} (recipient)")
    before = query("SELECT %s::regclass::oid", INDEX)
    call_command("migrate", verbosity=0, stderr=(told := StringIO()))
    assert f"The index {INDEX} was built by an attempt before this one." in told.getvalue()
    assert query("SELECT %s::regclass::oid", INDEX) == before


def test_of_three_at_once_one_works_and_the_others_wait(index_is_missing: None) -> None:
    with writer(TABLE):  # so that the first is at work for as long as the others need to come
        started = [start_migrate() for _ in range(3)]
        until("two wait for the third", lambda: waiting_for_turn() == 2, seconds=60)
    told = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], told
    assert sum("Waiting for another migrate to end: pid " in text for text in told) == 2
    assert query("SELECT app, name FROM django_migrations GROUP BY app, name HAVING count(*) > 1") == []
    assert index_states() == [(True,)]


def start_migrate() -> "subprocess.Popen[str]":
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'ordersite.settings'\n"
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        f"settings.DATABASES['default']['NAME'] = {connection.settings_dict['NAME']!r}\n"
        f"settings.MIGRATION_MODULES = {LATER!r}\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=BASE_DIR, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def waiting_for_turn() -> int:
    """Return how many sessions have asked for the turn in vain."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%l.objid = %%' AND state = 'idle'"
    return int(query(asked)[0][0])


@pytest.mark.parametrize("options", [{"lock_timeout": 0.0}, {"attempts": 0}])
def test_what_cannot_be_meant_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="takes more than 0"):
        call_command("migrate", **options)


def test_a_read_only_database_is_told_in_a_line(index_is_missing: None) -> None:
    with read_only_database(), pytest.raises(CommandError, match="the database is away: InternalError: "):
        call_command("migrate", verbosity=0)


def test_a_plan_waits_for_nobody() -> None:
    with other() as session:
        session.execute("SELECT pg_advisory_lock(%s)", [migrating.TURN_KEY])
        call_command("migrate", plan=True, stdout=(shown := StringIO()))
    assert "No planned migration operations." in shown.getvalue()
