"""Transactions that meet: one of somebody else's, and work that goes on meanwhile on a connection of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo

T = TypeVar("T")


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
