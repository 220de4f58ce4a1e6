"""A look-up of people that waits, so that a test can do something meanwhile."""

import threading
from typing import Any

from django.db import connection


class Lock:
    """The table of users, locked until release()."""

    def __init__(self) -> None:
        self._holding, self._release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        assert self._holding.wait(5)

    def release(self) -> None:
        """Let everybody read it again."""
        self._release.set()
        self._thread.join()

    def _hold(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; LOCK users_user")
            self._holding.set()
            self._release.wait(20)
            cursor.execute("ROLLBACK")
        connection.close()


def queries(state: str = "active") -> list[tuple[Any, ...]]:
    """Our queries that look for people, in other connections than this."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE state = %s AND pid <> pg_backend_pid() AND query ~ 'users_user'",
            [state],
        )
        return list(cursor.fetchall())
