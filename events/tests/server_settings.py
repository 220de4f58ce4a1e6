"""Changes a setting of the real PostgreSQL for all its sessions, as an operator or a switch-over does."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from events.tests.waiting import until


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
