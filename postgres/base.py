"""The database backend (DATABASES' ENGINE)."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg import IsolationLevel, OperationalError
from psycopg.pq import TransactionStatus

from events.errors import is_database_away
from postgres.pipelining import (
    ClientBindingCursor,
    Connection,
    ServerBindingCursor,
    Statement,
    has_something_to_read,
)

logger = logging.getLogger(__name__)

_SETTING = re.compile(r"-c (\w+)=(\S+)")
_SETTINGS = """
SELECT quote_ident(session_user), name, setting FROM pg_settings WHERE name = ANY(%(names)s) ORDER BY name
"""


def _does(name: str, value: str, asked: str) -> bool:
    """Tell whether a setting will do: as it was asked for, or a time-out that is shorter."""
    return value == asked or (name.endswith("_timeout") and 0 < int(value) <= int(asked))


class NotingErrors(DatabaseErrorWrapper):
    """Turns psycopg's errors into Django's, and notes on the connection an error after which it is not to be kept."""

    def __init__(self, wrapper: "DatabaseWrapper") -> None:
        super().__init__(wrapper)
        self._wrapper = wrapper

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        except Exception as djangos:
            self._wrapper.refused |= is_database_away(djangos)
            self._wrapper.failed = djangos
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for how a transaction begins and ends, and how a kept connection is looked at before it serves
    another request.

    A transaction begins with its first statement, and what nobody waits for leaves with the next one (pipelining.py).

    Django asks the server `SELECT 1`: a fourteenth of what a request to place an order costs. A server that ends, or
    ends a session, closes the connection, and that can be read from the socket without asking. Only where there is
    something to read is the server asked. A network that is silent is noticed by neither: there a statement fails
    after tcp_user_timeout.

    A server that answers and will not do the work (read-only after a switch-over, say) is no better than one that is
    away: its connection is closed, so that the next one may lead to the new primary. So is the default database's to a
    standby, even where it has only been read from.
    """

    refused = False  # whether the server has refused, on this connection, what another one might do
    failed: Exception | None = None  # the last error, of this connection or one before it

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Raises ImproperlyConfigured for options of Django's that have no effect here."""
        if unknown := {"isolation_level", "pool"} & self.settings_dict["OPTIONS"].keys():
            raise ImproperlyConfigured(f"this database backend knows no {', '.join(sorted(unknown))} in OPTIONS")
        self.refused = False
        self.isolation_level = IsolationLevel.READ_COMMITTED  # PostgreSQL's default
        connection = Connection.connect(**conn_params)
        prepared = self.settings_dict["OPTIONS"].get("server_side_binding")
        cursors: Any = ServerBindingCursor if prepared else ClientBindingCursor
        connection.cursor_factory = cursors
        return connection

    def init_connection_state(self) -> None:
        """Prepare a new connection.

        Raises OperationalError where the session does not have the settings that were asked for: a pool in between has
        dropped them. Then the connection is closed.
        """
        super().init_connection_state()
        try:
            with self.wrap_database_errors:
                self._check_settings()
        except BaseException:
            self.connection.close()
            self.connection = None
            raise

    def _check_settings(self) -> None:
        asked = dict(_SETTING.findall(self.settings_dict["OPTIONS"].get("options", "")))
        if not asked:
            return
        rows = self.connection.execute(_SETTINGS, {"names": list(asked)}).fetchall()
        wrong = [(role, name, value) for role, name, value in rows if not _does(name, value, asked[name])]
        if wrong:
            found = ", ".join(f"{name} is {value} and not {asked[name]}" for _, name, value in wrong)
            mend = "; ".join(f"ALTER ROLE {role} SET {name} = '{asked[name]}'" for role, name, _ in wrong)
            raise OperationalError(
                f"a pool between here and the database does not pass settings on: {found}. {mend}; then have the pool"
                " connect anew (docs/pgbouncer.md)"
            )

    def create_cursor(self, name: str | None = None) -> Any:
        if not name:
            return super().create_cursor()
        self.connection.send()  # one of the server's knows no pipelines
        cursor = super().create_cursor(name)
        # Django has it hold its rows beyond the transaction where psycopg is in autocommit, which it always is here.
        cursor._withhold = self.autocommit and not self.in_atomic_block
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        """Begin a transaction: Django calls this where a backend has it."""
        self.run_commit_hooks_on_set_autocommit_on = False  # of one before, whose hooks raised
        self.connection.begin_soon()

    def _set_autocommit(self, autocommit: bool) -> None:
        """Set it. If a transaction is still open here, its COMMIT or ROLLBACK was interrupted, by a time limit, say.

        Then the connection is closed, or the next transaction would continue it.
        """
        if not (autocommit and self.connection.autocommit):
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # Django's, which its types leave out
        elif not self.connection.is_at_rest:
            self.connection.close()
            self.connection = None  # not self.close(), which drops the on_commit hooks: it may have been committed

    def get_autocommit(self) -> bool:
        if not (self.in_atomic_block or self.autocommit) and self.connection and self.connection.autocommit:
            self.set_autocommit(True)  # this was interrupted, before Django noted it
        return bool(super().get_autocommit())

    def _savepoint_rollback(self, sid: str) -> None:
        self.connection.forget_waiting()  # SAVEPOINT itself sent what waited, so what waits now came after it
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # Django's, which its types leave out

    def execute_soon(self, sql: str, parameters: Any) -> None:
        """Execute a statement of the open transaction together with the next one, which raises what fails of it."""
        self.validate_thread_sharing()
        self.validate_no_broken_transaction()
        self.connection.execute_soon(sql, parameters)

    def after_commit(self, make: Callable[[], Statement | None]) -> None:
        """Send what `make` returns at the commit of the open transaction together with it, as what follows."""
        self.connection.after_commit(make)

    def get_connection_params(self) -> dict[str, Any]:
        """Return what to connect with; user and password as the file URL_FILE has them now, where there is one.

        Where it cannot be read, such as while it is replaced, they are as before.
        """
        params: dict[str, Any] = super().get_connection_params()
        file: Path | None = self.settings_dict.get("URL_FILE")
        if file is None:
            return params
        try:
            url = environ.Env.db_url_config(file.read_text().strip(), engine=__package__)
        except (OSError, ValueError, ImproperlyConfigured) as error:
            logger.warning("%s cannot be read, so the password of before is used: %s", file, type(error).__name__)
            return params
        now = {"user": url["USER"], "password": url["PASSWORD"]}
        return params | {name: value for name, value in now.items() if value}

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return NotingErrors(self)

    def is_usable(self) -> bool:
        kept = self.connection
        if kept is None or kept.closed or self.refused:
            return False
        # PostgreSQL 14 and newer tell it unasked.
        if self.alias == DEFAULT_DB_ALIAS and kept.info.parameter_status("in_hot_standby") == "on":
            return False
        at_rest = kept.info.transaction_status == TransactionStatus.IDLE
        return (at_rest and not has_something_to_read(kept.fileno())) or super().is_usable()
