"""What tests do to the real PostgreSQL, Redis or Valkey, and what they see there."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo

from events.tests.waiting import until

T = TypeVar("T")
THREADS = 20  # PostgreSQL takes 100 connections
REFUSING = "redis://127.0.0.1:1/0"  # nothing listens on port 1


@contextmanager
def a_transaction() -> Iterator["psycopg.Connection[Any]"]:
    """Have another connection with a transaction open; what it did not commit is rolled back."""
    given = connection.get_connection_params()
    names = {name: given[name] for name in ("host", "port", "user", "password", "dbname") if given.get(name)}
    with psycopg.connect(make_conninfo(**names)) as other:
        other.execute("SELECT 1")
        yield other
        other.rollback()


def lock(other: "psycopg.Connection[Any]", table: str, *ids: UUID, key: str = "id") -> None:
    """Lock these rows in the other's transaction. Raises LockNotAvailable where somebody holds one already."""
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = ANY(%s) FOR UPDATE NOWAIT")
    other.execute(query.format(sql.Identifier(table), sql.Identifier(key)), [list(ids)])


def at_once(count: int, act: Callable[[int], T], *, threads: int = THREADS) -> list[T]:
    """Call act(0), act(1), ... each on a connection of its own; return what they did, or raise the first error."""
    threads = min(threads, count)
    ready = Barrier(threads)

    def begin() -> None:
        connection.ensure_connection()
        ready.wait(30)

    def end(_: int) -> None:
        ready.wait(30)
        connection.close()

    with ThreadPoolExecutor(threads, initializer=begin) as pool:
        done = [pool.submit(act, number) for number in range(count)]
        outcomes = [future.exception() for future in done]
        list(pool.map(end, range(threads)))
    for error in outcomes:
        if error is not None:
            raise error
    return [future.result() for future in done]


@contextmanager
def meanwhile(act: Callable[[], T]) -> Iterator["Future[T]"]:
    """Call it on a connection of its own beside the enclosed work, and wait for its end; the future has its outcome.

    It waits for no lock longer than some seconds, so that a test that fails before it gives one free ends all the same.
    """

    def acting() -> T:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'; SET enable_indexscan = off; SET enable_bitmapscan = off")
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(acting)


def read_only_database() -> AbstractContextManager[None]:
    """Refuse every write until the block ends."""
    return server_setting("default_transaction_read_only", "on")


@contextmanager
def server_setting(name: str, value: str) -> Iterator[None]:
    """Give a setting this value until the block ends, for our session too by then."""
    setting = sql.Identifier(name)
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as admin:
        before = _shown(admin, name)
        try:
            _change(admin, sql.SQL("ALTER SYSTEM SET {} = {}").format(setting, value), name, value)
            yield
        finally:
            _change(admin, sql.SQL("ALTER SYSTEM RESET {}").format(setting), name, before)


def _change(admin: "psycopg.Connection[Any]", how: sql.Composed, name: str, result: str) -> None:
    admin.execute(how)
    admin.execute("SELECT pg_reload_conf()")
    until("the server has read its settings", lambda: _shown(admin, name) == result)
    if connection.connection is not None:
        until("so has our session", lambda: _shown(connection.connection, name) == result)


def _shown(session: Any, name: str) -> str:
    (row,) = session.execute("SELECT current_setting(%s)", [name]).fetchall()
    return str(row[0])


@contextmanager
def full(broker: Any) -> Iterator[None]:
    broker.config_set("maxmemory", 1)
    try:
        yield
    finally:
        broker.config_set("maxmemory", 0)


@contextmanager
def replica(broker: Any) -> Iterator[None]:
    """Of a server that is not there, as after a switch-over."""
    broker.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        broker.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def unable_to_save(broker: Any) -> Iterator[None]:
    """With a folder where its file would be."""
    kept = broker.config_get("save")["save"]
    file = Path(broker.config_get("dir")["dir"], broker.config_get("dbfilename")["dbfilename"])
    file.unlink(missing_ok=True)
    file.mkdir()
    try:
        broker.config_set("save", "3600 1")
        broker.bgsave()
        until("the save has failed", lambda: broker.info("persistence")["rdb_last_bgsave_status"] == "err")
        yield
    finally:
        file.rmdir()
        broker.config_set("save", kept)
        broker.save()  # one that succeeds ends the fault
        file.unlink()


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Keep each statement that is made inside the block, with its parameters."""
    made: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        made.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        yield made


def pages_read(sql: str, parameters: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", parameters)
        plan = cursor.fetchone()[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def backend() -> int:
    """The pid of the process of PostgreSQL that serves us."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def waiting_for_locks() -> int:
    """Return how many of our connections wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        row = cursor.fetchone()
    return int(row[0])


def broker_url() -> str:
    """The real broker, in a database of its own number (conftest.py)."""
    return str(settings.BROKER_URL).rsplit("/", 1)[0] + "/7"
