"""What the bus's SQL shares: running a statement, time-outs, and conditions that several statements need."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db import Error as DatabaseError

from events.policy import Limits

logger = logging.getLogger(__name__)

Row = tuple[Any, ...]
Statement = tuple[str, dict[str, Any]]
"""SQL and its parameters."""


# In the FROM of a statement that is a transaction by itself: do not wait for the disk. For bookkeeping whose loss in a
# crash of PostgreSQL is harmless (a lease, a start): what it said is then done again.
ASYNCHRONOUSLY = "(SELECT set_config('synchronous_commit', 'off', true)) AS asynchronously"


_alias: ContextVar[str] = ContextVar("alias", default=DEFAULT_DB_ALIAS)


def alias() -> str:
    """Return which of DATABASES is read from: "default", the primary, unless reading_from() says another."""
    return _alias.get()


@contextmanager
def reading_from(database: str) -> Iterator[None]:
    """Have fetch(), and a bounded_transaction() around it, ask this one of DATABASES until the block ends."""
    before = _alias.set(database)
    try:
        yield
    finally:
        _alias.reset(before)


def fetch(sql: str, parameters: dict[str, Any]) -> Sequence[Row]:
    """Run one statement and return its rows."""
    with connections[alias()].cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: Sequence[Row] = cursor.fetchall()
        return rows


def execute(sql: str, parameters: dict[str, Any]) -> int:
    """Run one statement and return how many rows it was about."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def execute_soon(sql: str, parameters: dict[str, Any]) -> None:
    """Run one statement of the open transaction whose result nobody waits for.

    Where the database's backend can (ours: postgres/), it leaves with the next statement, or with the commit, and what
    fails of it is raised there.
    """
    (_of_backend("execute_soon") or execute)(sql, parameters)


def execute_waiting() -> None:
    """Have PostgreSQL execute what execute_soon() was given."""
    fetch("SELECT 1", {})


def after_commit(make: Callable[[], Statement | None]) -> None:
    """Run the statement that `make` returns, if any, once the open transaction is committed; if none is open, at once.

    Where the database's backend can, it leaves with the commit. What fails of it is logged.
    """
    if with_commit := _of_backend("after_commit"):
        with_commit(make)
    else:
        transaction.on_commit(partial(_run, make))


def _of_backend(name: str) -> Any:
    """Return the backend's method of this name if it has one and a transaction is open, else None."""
    return getattr(connection, name, None) if connection.in_atomic_block else None


def _run(make: Callable[[], Statement | None]) -> None:
    try:
        if statement := make():
            execute(*statement)
    except DatabaseError as error:
        logger.info("what was to follow a commit failed: %s", error)


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Return the rows as a list for each column, as unnest() takes them; `width` for when there are none."""
    return [[row[at] for row in rows] for at in range(width)]


@contextmanager
def joined_transaction() -> Iterator[None]:
    """Open a transaction, or join the one that is open, without a savepoint and its two round trips.

    So what fails in one that is joined must end it: the caller may not go on in it.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        yield


@contextmanager
def bounded_transaction(limits: Limits) -> Iterator[None]:
    """Open a transaction that PostgreSQL ends in time, or join the one that is open.

    A worker that is frozen inside it so loses its row locks before its lease is over. transaction_timeout came with
    PostgreSQL 17; on older servers each statement and each idle spell is bounded instead.
    """
    if connections[alias()].in_atomic_block:
        yield
        return
    with transaction.atomic(using=alias()):
        whole = "transaction_timeout" if _server_version() >= 170_000 else "statement_timeout"
        bounds = {
            "whole": whole,
            "transaction": str(int(limits.transaction * 1000)),
            "lock": str(int(limits.lock * 1000)),
        }
        (execute_soon if alias() == DEFAULT_DB_ALIAS else fetch)(_BOUNDS, bounds)
        yield


_BOUNDS = """
SELECT set_config('lock_timeout', %(lock)s, true), set_config(%(whole)s, %(transaction)s, true),
       set_config('idle_in_transaction_session_timeout', %(transaction)s, true)
"""


def undone(alias: str) -> str:
    """Return the condition that this delivery holds back the later ones of its subject and consumer.

    The index delivery_holds (models.py) has the same predicate. It goes by handled_at, since a condition on the state
    alone would let PostgreSQL take that index for all that is pending: with the statistics of a quiet moment, in which
    nothing was undone, it takes it for empty and reads all of it.
    """
    return f"({alias}.handled_at IS NULL OR ({alias}.state = 'dead' AND {alias}.dead_holds))"


def state_of(alias: str) -> str:
    """Return the state as an expression that no index has: for a look-up by id, which is to go by the ids.

    By the statistics of a quiet moment the index of all that is due, or in flight, is empty, and so the cheaper one. It
    is not: there may be a backlog, and while an old snapshot is held it has all that was in flight since.
    """
    return f"({alias}.state || '')"


def earlier_undone(alias: str) -> str:
    """Return the condition that it is not this delivery's turn: an earlier one is undone.

    This alone decides the order of deliveries. Parking only keeps those that it is true of out of the relay's way.
    """
    return _exists_earlier(alias, undone("earlier"))


def sent_token(alias: str) -> str:
    """Return the token that a message for this delivery's next attempt carries: the same in all of its copies.

    So a message whose lease ran out while it waited in the broker's list is as good as the one that is sent after it.
    With a new token for each lease, a list that takes longer than a lease to read would hold nothing but stale ones.
    """
    attempt = f"{alias}.id::text || ' ' || ({alias}.attempts + {alias}.waits)"
    return f"left(encode(sha256(convert_to({attempt}, 'UTF8')), 'hex'), 32)::uuid"


def may_start(alias: str, token: str) -> str:
    """Return the condition that a message with this token (an expression of SQL) may start this delivery now."""
    return f"""(({state_of(alias)} = 'leased' AND {alias}.token = {token}) OR ({state_of(alias)} = 'pending'
        AND {sent_token(alias)} = {token} AND {alias}.due_at <= now() AND NOT {earlier_undone(alias)}))"""


def held_back(alias: str) -> str:
    """Return the condition that this delivery is to be parked: an earlier one is dead, parked, or backing off.

    Behind one that is about to run it is not: that is over before parking would pay.
    """
    return _exists_earlier(
        alias,
        f"{undone('earlier')} AND (earlier.state = 'dead' OR"
        " (earlier.state = 'pending' AND (earlier.due_at IS NULL OR earlier.due_at > clock_timestamp())))",
    )


def note_failed(deliveries: str, condition: str = "true") -> str:
    """Return the statement that notes the attempt of these rows of events_delivery, just changed, as failed."""
    return f"""INSERT INTO events_failedattempt (delivery_id, number, started_at, worker, error_type, error_message)
    SELECT id, attempts, coalesce(started_at, clock_timestamp()), worker, error_type, error_message
    FROM {deliveries} WHERE {condition}"""


def _exists_earlier(alias: str, condition: str) -> str:
    """Return the condition that there is such an earlier delivery, looked up for each row by delivery_holds.

    OFFSET 0 keeps PostgreSQL from making a join of it (src/backend/optimizer/plan/subselect.c): with the statistics of
    a moment ago, when much was parked at once, that join took minutes.
    """
    return f"""EXISTS (
        SELECT 1 FROM events_delivery earlier
        WHERE earlier.subject = {alias}.subject AND earlier.consumer = {alias}.consumer
          AND (earlier.sequence, earlier.handler) < ({alias}.sequence, {alias}.handler) AND {condition} OFFSET 0)"""


def _server_version() -> int:
    """Return PostgreSQL's version, as 180006 for 18.6, of a connection that is open."""
    with connections[alias()].wrap_database_errors:
        return int(connections[alias()].connection.info.server_version)
