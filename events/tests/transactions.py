"""A transaction of somebody else's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo


@contextmanager
def a_transaction() -> Iterator["psycopg.Connection[Any]"]:
    """Have another connection with a transaction open; what it did not commit is rolled back."""
    given = connection.get_connection_params()
    names = {name: given[name] for name in ("host", "port", "user", "password", "dbname") if given.get(name)}
    with psycopg.connect(make_conninfo(**names)) as other:
        other.execute("SELECT 1")
        yield other
        other.rollback()
