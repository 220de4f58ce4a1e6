"""The database backend (DATABASES' ENGINE)."""

import logging
import select
from pathlib import Path
from types import TracebackType
from typing import Any

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg.pq import TransactionStatus

from events.errors import is_database_away

logger = logging.getLogger(__name__)


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
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for how a kept connection is looked at before it serves another request.

    Django asks the server `SELECT 1`: a fourteenth of what a request to place an order costs. A server that ends, or
    ends a session, closes the connection, and that can be read from the socket without asking. Only where there is
    something to read is the server asked. A network that is silent is noticed by neither: there a statement fails
    after tcp_user_timeout.

    A server that answers and will not do the work (read-only after a switch-over, say) is no better than one that is
    away: its connection is closed, so that the next one may lead to the new primary. So is one to a standby, even where
    it has only been read from.
    """

    refused = False  # whether the server has refused, on this connection, what another one might do

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self.refused = False
        return super().get_new_connection(conn_params)

    def get_connection_params(self) -> dict[str, Any]:
        """Return what to connect with; user and password as DATABASE_URL_FILE has them now, where there is one.

        Where it cannot be read, such as while it is replaced, they are as before.
        """
        params: dict[str, Any] = super().get_connection_params()
        file: Path | None = settings.DATABASE_URL_FILE
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
        if kept.info.parameter_status("in_hot_standby") == "on":  # PostgreSQL 14 and newer tell it unasked
            return False
        at_rest = kept.info.transaction_status == TransactionStatus.IDLE
        return (at_rest and not _has_something_to_read(kept.fileno())) or super().is_usable()


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
