"""Lets migrations run beside traffic: one `migrate` at a time, that waits for no lock for long.

Whoever waits for a table's lock has everybody who comes later wait behind it: one reader that never ends, and a
migration that waits for it, stop all orders. So it gives up after seconds, lets the others pass, and tries again.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from django.core.management import CommandError
from django.db import Error as DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from events.errors import sqlstate

T = TypeVar("T")
Tell = Callable[[str], object]

TURN_KEY = 712_994_301  # of PostgreSQL's advisory lock: whoever has it migrates
TURN = 600.0  # seconds for which another migrate is waited for
LOOK = 1.0  # seconds from one look for the turn to the next
WATCH = 0.2  # seconds from one look at who is in the way to the next
PAUSE = 5.0  # seconds between two attempts, in which those who queued up behind the last one pass
# Seconds that an index which is built beside traffic may wait: nobody waits behind it, and no transaction of ours takes
# longer than 12.
CONCURRENT_LOCK_TIMEOUT = 20.0
BLOCKED = ("55P03", "40P01")  # SQLSTATE of lock_timeout, and of the victim of a deadlock
BUILDS_INDEX = re.compile(r'CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?"?([^"\s]+)')


@dataclass(frozen=True)
class Patience:
    """How long to wait for a lock (seconds), and how often to try."""

    lock_timeout: float = 2.0  # less than the 3 s after which a request that waits behind is answered 503
    attempts: int = 10


@contextmanager
def turn(connection: BaseDatabaseWrapper, tell: Tell) -> Iterator[None]:
    """Wait until no other `migrate` is at work on this database, and keep others waiting until the block ends.

    Asks again and again: to wait in PostgreSQL would take a snapshot, and an index that is built beside traffic waits
    for everybody who has one. The lock belongs to the session, so a pooler of transactions (PgBouncer) cannot be in
    between. Raises CommandError where the other takes too long.
    """
    deadline, told = time.monotonic() + TURN, False
    while not _one(connection, "SELECT pg_try_advisory_lock(%s)", TURN_KEY):
        if time.monotonic() > deadline:
            raise CommandError(f"another migrate has been at work for {TURN:.0f} s: {_holder(connection)}")
        if not told:
            tell(f"Waiting for another migrate to end: {_holder(connection)}")
            told = True
        time.sleep(LOOK)
    try:
        yield
    finally:
        with suppress(DatabaseError):  # with a lost connection its locks are gone too
            _one(connection, "SELECT pg_advisory_unlock(%s)", TURN_KEY)


def migrate(connection: BaseDatabaseWrapper, run: Callable[[], T], *, patience: Patience, tell: Tell) -> T:
    """Run migrations, again where a lock was not to be had. Raises CommandError where it never was."""
    with Blockers(connection) as blockers:
        attempts = Attempts(connection, patience, blockers, tell)
        try:
            attempts.limit_waits(patience.lock_timeout)
            with connection.execute_wrapper(attempts.execute):
                return attempts.repeat(run)
        finally:
            with suppress(DatabaseError):
                _rows(connection, "RESET lock_timeout")


class Attempts:
    """Repeats what did not get a lock.

    Outside of a transaction a single statement is repeated, since a migration that is not atomic cannot begin anew. In
    one the whole run is: what is migrated by then is recorded.
    """

    def __init__(self, connection: BaseDatabaseWrapper, patience: Patience, blockers: "Blockers", tell: Tell) -> None:
        self._connection = connection
        self._patience = patience
        self._blockers = blockers
        self._tell = tell

    def repeat(self, do: Callable[[], T]) -> T:
        """Do it, as often as it takes. Raises CommandError after the last attempt, and what is no matter of locks."""
        for left in reversed(range(self._patience.attempts)):
            self._blockers.forget()
            try:
                return do()
            except DatabaseError as error:
                if sqlstate(error) not in BLOCKED:
                    raise
                blocked = f"a lock was not to be had within seconds: {self._blockers.describe()}"
                if not left:
                    raise CommandError(f"Gave up: {blocked} Run migrate again when that has ended.") from error
                self._tell(f"Trying again in {PAUSE:.0f} s: {blocked}")
                time.sleep(PAUSE)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def execute(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        def once() -> Any:
            return execute(sql, params, many, context)

        if self._connection.in_atomic_block:
            return once()
        index = BUILDS_INDEX.match(str(sql))
        return self.repeat((lambda: self._build(index[1], once)) if index else once)

    def limit_waits(self, seconds: float) -> None:
        _one(self._connection, "SELECT set_config('lock_timeout', %s, false)", str(max(1, int(seconds * 1000))))

    def _build(self, index: str, build: Callable[[], object]) -> None:
        """Build an index beside traffic. One that was given up is still there, and of no use: it is dropped first."""
        is_valid = _one(self._connection, _IS_VALID, index)
        if is_valid:
            self._tell(f"The index {index} was built by an attempt before this one.")
            return
        self.limit_waits(max(CONCURRENT_LOCK_TIMEOUT, self._patience.lock_timeout))
        try:
            if is_valid is False:
                _rows(self._connection, f"DROP INDEX CONCURRENTLY {self._connection.ops.quote_name(index)}")
            build()
        finally:
            self.limit_waits(self._patience.lock_timeout)


class Blockers:
    """Sees, on a connection of its own, who keeps a session waiting: afterwards PostgreSQL does not know any more."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._pid = _one(connection, "SELECT pg_backend_pid()")
        self._where = connection.get_connection_params()
        self._seen: list[tuple[Any, ...]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="blockers", daemon=True)

    def __enter__(self) -> "Blockers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def forget(self) -> None:
        self._seen = []

    def describe(self) -> str:
        """Return who was in the way when it was last seen, in words."""
        if not self._seen:
            return "nobody was seen to hold it."
        return "; ".join(_describe_session(*row) for row in self._seen) + "."

    def _watch(self) -> None:
        with suppress(psycopg.Error), psycopg.connect(**self._where | {"autocommit": True}) as connection:
            while not self._ended.wait(WATCH):
                self._seen = connection.execute(_BLOCKERS, [self._pid]).fetchall() or self._seen


def _holder(connection: BaseDatabaseWrapper) -> str:
    rows = _rows(connection, _HOLDER, TURN_KEY)
    return _describe_session(*rows[0]) if rows else "it has just ended"


def _describe_session(
    pid: int, application: str, user: str, state: str | None, begun: str | None, query: str | None
) -> str:
    """Return what a person needs to find a session, or to end it; of other roles' PostgreSQL does not tell all."""
    told = f"pid {pid} ({application or 'no application_name'}, user {user}"
    if state:
        told += f", {state}"
    if begun:
        told += f", in a transaction since {begun}"
    if query:
        told += f", its last statement since {query}"
    return f"{told})"


def _rows(connection: Any, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Execute a statement of this module's own, past Django's hook, and return its rows."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor = connection.connection.execute(sql, parameters or None)
        return list(cursor.fetchall()) if cursor.description else []


def _one(connection: Any, sql: str, *parameters: object) -> Any:
    """Return the first column of the first row, None where there is no row."""
    rows = _rows(connection, sql, *parameters)
    return rows[0][0] if rows else None


_SESSION = """a.pid, a.application_name, a.usename::text, a.state,
       to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), to_char(a.query_start, 'YYYY-MM-DD HH24:MI:SS TZ')"""

_BLOCKERS = f"SELECT {_SESSION} FROM pg_stat_activity a WHERE a.pid = ANY(pg_blocking_pids(%s))"

_HOLDER = f"""
SELECT {_SESSION} FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objid = %s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_IS_VALID = """
SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname = %s AND pg_table_is_visible(c.oid)
"""
