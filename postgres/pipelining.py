"""A connection that saves round trips: BEGIN, and statements whose result nobody needs, are sent with the next one.

psycopg's pipeline mode (https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html) around single statements, never
around what a caller does: so a result is there when its statement returns, whatever left with it.
"""

import logging
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.abc import PQGen
from psycopg.errors import InFailedSqlTransaction
from psycopg.generators import send
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow

logger = logging.getLogger(__name__)

Statement = tuple[str, Any]
"""SQL and its parameters."""

BEGIN: Statement = ("BEGIN", None)
FAILED = "a statement of the transaction has failed, so it can only be rolled back"


class _Pipeline(psycopg.Pipeline):
    """psycopg's, without the Flush that it may send behind the Sync at its end, and that nobody needs there.

    PostgreSQL takes it for the client's next message, so a client that then falls silent within its transaction would
    never be ended by idle_in_transaction_session_timeout.
    """

    first_error: psycopg.Error | None = None  # what the server said first: what it says later follows from it
    _is_synced = False

    def _enqueue_sync(self) -> None:
        self.command_queue.append(self._send_sync)
        self.result_queue.append(None)

    def _send_sync(self) -> None:
        self.pgconn.pipeline_sync()
        self._is_synced = True

    def _fetch_gen(self, *, flush: bool) -> PQGen[None]:
        if self._is_synced:
            yield from send(self.pgconn)  # what the socket did not take at once: psycopg sends it with its Flush
        yield from super()._fetch_gen(flush=flush and not self._is_synced)

    def _process_results(self, queued: Any, results: Any) -> None:
        try:
            super()._process_results(queued, results)
        except psycopg.Error as error:
            self.first_error = self.first_error or error
            raise


class Connection(psycopg.Connection[TupleRow]):
    """psycopg's own, in autocommit: a transaction begins by begin_soon().

    What fails of the statements that wait is raised by the one that they leave with, at the latest by the commit.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[Statement] = []
        self._after_commit: list[Callable[[], Statement | None]] = []
        self._has_failed = False  # a statement that waited never reached the server: nothing may be committed

    @property
    def is_at_rest(self) -> bool:
        """Whether no transaction is open, nor about to begin."""
        is_idle = self.info.transaction_status == TransactionStatus.IDLE
        return is_idle and not self._is_in_pipeline and not self._waiting

    @property
    def _is_in_pipeline(self) -> bool:
        return self.info.pipeline_status != PipelineStatus.OFF

    def begin_soon(self) -> None:
        """Begin a transaction together with its first statement."""
        self._waiting, self._after_commit, self._has_failed = [BEGIN], [], False

    def execute_soon(self, sql: str, parameters: Any) -> None:
        """Execute a statement of the open transaction together with the next one, before it.

        Its parameters are read then: do not change them in between.
        """
        self._waiting.append((sql, parameters))

    def after_commit(self, make: Callable[[], Statement | None]) -> None:
        """Send what `make` returns at the commit together with it, to be executed when that is done.

        Whether it fails does not matter to the commit, and is logged. It is sent even if a savepoint is rolled back
        meanwhile.
        """
        self._after_commit.append(make)

    def commit(self) -> None:
        """Commit. Raises InFailedSqlTransaction where a statement has failed, even if somebody caught that error:
        PostgreSQL answers the COMMIT of a failed transaction with a silent ROLLBACK, and psycopg does not look.
        """
        if self._has_failed or self.info.transaction_status == TransactionStatus.INERROR:
            raise InFailedSqlTransaction(FAILED)
        waiting, after = self._waiting, self._after_commit
        self._after_commit = []
        if after or (waiting and waiting != [BEGIN]):
            self._commit_with(after)
        elif waiting:
            self._waiting = []  # nothing was done
        else:
            super().commit()

    def _commit_with(self, after: list[Callable[[], Statement | None]]) -> None:
        commit: psycopg.Cursor[TupleRow] | None = None
        statements = [statement for make in after if (statement := make())]
        try:
            with self.together(always=True):
                commit = self.execute("COMMIT", prepare=False)
                for statement in statements:
                    # If the COMMIT fails, the server skips this, and psycopg would believe it to be prepared.
                    self.execute(*statement, prepare=False)
        except psycopg.Error as error:
            if commit is None or commit.statusmessage != "COMMIT":
                raise
            logger.info("what was to follow a commit failed: %s", error)

    def rollback(self) -> None:
        is_begun = BEGIN not in self._waiting
        self._waiting, self._after_commit, self._has_failed = [], [], False
        if is_begun:
            super().rollback()

    def forget_waiting(self) -> None:
        """Never send what waits, nor mind what could not be sent, since a savepoint before all of it is rolled back."""
        self._waiting, self._has_failed = [], False

    @contextmanager
    def together(self, *, always: bool = False) -> Iterator[None]:
        """Send what waits, then what is executed in here, and wait once for all of it; `always`: also if nothing waits.

        What interrupts that wait, such as a time limit, ends the connection: else who asks next would read its answers.
        """
        if self._has_failed and not self._is_in_pipeline:
            raise InFailedSqlTransaction(FAILED)
        if not self._waiting and not always:
            yield
            return
        self._hear_why_it_ended()
        handled = sys.exception()  # what the caller is handling already, if anything
        self._has_failed = True  # until all of these are sent
        waiting, self._waiting = self._waiting, []
        pipeline = self._pipeline = _Pipeline(self)  # which pipeline() takes, and forgets at its end
        try:
            with self.pipeline(), self._closed_by_interruptions():
                for sql, parameters in waiting:
                    self.execute(sql, parameters)
                self._has_failed = False
                yield
        except psycopg.Error as error:
            interruption = error.__context__ if self._is_in_pipeline else None  # psycopg fails to leave it then
            never_begun = BEGIN in waiting and self.info.transaction_status == TransactionStatus.IDLE
            if self._is_in_pipeline or (never_begun and not always):
                self.close()  # what follows would be in the middle of something, or in no transaction
            if interruption in (None, handled):
                raise (pipeline.first_error or error) from None
            raise interruption from None
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _closed_by_interruptions(self) -> Iterator[None]:
        """Close the connection at once where a time limit comes: else the end of the pipeline waits for its answers."""
        try:
            yield
        except psycopg.Error:
            raise
        except BaseException:
            self.close()
            raise

    def _hear_why_it_ended(self) -> None:
        """Where the server has ended the session within the transaction, raise its error.

        In a pipeline libpq takes it for a notice, and says no more than that the connection is lost.
        """
        if self.info.transaction_status == TransactionStatus.INTRANS and has_something_to_read(self.fileno()):
            psycopg.Cursor(self).execute("SELECT 1")

    def send(self) -> None:
        """Send what waits, and wait for it."""
        with self.together():
            pass


class _Taking:
    """Sends the statements that wait before each of this cursor's."""

    connection: Connection

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if params is None:  # may be several statements in one, which no pipeline takes
            self.connection.send()
            return super().execute(query, params, **options)  # type: ignore[misc]  # psycopg's
        with self.connection.together():
            return super().execute(query, params, **options)  # type: ignore[misc]

    def executemany(self, *args: Any, **options: Any) -> Any:
        self.connection.send()
        return super().executemany(*args, **options)  # type: ignore[misc]

    def copy(self, *args: Any, **options: Any) -> Any:
        self.connection.send()
        return super().copy(*args, **options)  # type: ignore[misc]

    def stream(self, *args: Any, **options: Any) -> Any:
        self.connection.send()
        return super().stream(*args, **options)  # type: ignore[misc]


class ServerBindingCursor(_Taking, base.ServerBindingCursor):
    """Django's, for prepared statements."""


class ClientBindingCursor(_Taking, base.Cursor):
    """Django's, for a pool between here and PostgreSQL."""


def has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
