"""Statements that nobody waits for leave with the next one; whatever is asked, it is as if each had been waited for."""

import logging
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    InternalError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db import Error as DatabaseError
from psycopg.pq import Trace

from events.models import SubjectCounter
from events.sql import execute, execute_soon, fetch
from events.tests.servers import a_transaction, backend
from events.tests.waiting import until
from postgres import pipelining

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    execute("CREATE TABLE kept (number int PRIMARY KEY)", {})
    yield
    if connection.connection is not None and connection.connection.closed:
        connection.close()
    execute("DROP TABLE kept", {})


def kept() -> list[int]:
    """Return what is committed, as another session sees it."""
    with a_transaction() as other:
        return [row[0] for row in other.execute("SELECT number FROM kept ORDER BY number")]


def in_a_transaction(*acts: Callable[[], object]) -> None:
    with transaction.atomic():
        for act in acts:
            act()


def fail() -> None:
    raise ZeroDivisionError


def keep_soon(number: int) -> None:
    execute_soon("INSERT INTO kept VALUES (%(number)s)", {"number": number})


def keep(number: int) -> int:
    return execute("INSERT INTO kept VALUES (%(number)s)", {"number": number})


@contextmanager
def messages() -> Iterator[list[list[str]]]:
    """Give a list that holds, at the end, the messages to the server (F) and from it (B), as [["F", "13", "Parse"]]."""
    seen: list[list[str]] = []
    connection.ensure_connection()
    with tempfile.TemporaryFile("w+") as file:
        pgconn = connection.connection.pgconn
        pgconn.trace(file.fileno())
        pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        try:
            yield seen
        finally:
            pgconn.untrace()  # which writes what is left
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            seen += [line.split()[:3] for line in os.read(file.fileno(), 1_000_000).decode().splitlines()]


def waits(seen: list[list[str]]) -> int:
    """Return how often the server was waited for."""
    return sum(pair == ("F", "B") for pair in pairwise(who for who, *_ in seen))


def test_a_transaction_waits_once_for_each_result_that_is_read() -> None:
    with messages() as seen, transaction.atomic():
        keep_soon(1)
        assert fetch("SELECT max(number) FROM kept WHERE number < %(most)s", {"most": 9}) == [(1,)]
        keep_soon(2)
        keep_soon(3)
    assert waits(seen) == 2
    assert kept() == [1, 2, 3]


def test_without_such_a_backend_each_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("postgres.base.DatabaseWrapper.execute_soon")
    with messages() as seen, transaction.atomic():
        keep_soon(1)
        keep_soon(2)
    assert waits(seen) == 3
    assert kept() == [1, 2]


def test_a_transaction_in_which_nothing_is_asked_asks_nothing() -> None:
    with messages() as seen:
        with transaction.atomic():
            pass
        with pytest.raises(ZeroDivisionError):
            in_a_transaction(fail)
    assert waits(seen) == 0


def test_what_a_statement_returns_is_its_own() -> None:
    with transaction.atomic():
        keep_soon(1)
        keep_soon(2)
        assert execute("UPDATE kept SET number = number + 10 WHERE number < %(most)s", {"most": 9}) == 2
    assert kept() == [11, 12]


def test_what_fails_of_one_is_raised_by_the_next_and_nothing_is_kept() -> None:
    with pytest.raises(IntegrityError, match="kept_pkey"):
        in_a_transaction(partial(keep_soon, 1), partial(keep_soon, 1), partial(keep, 2))
    assert kept() == []
    assert keep(3) == 1


def test_what_fails_of_the_last_is_raised_by_the_commit_and_nothing_is_kept() -> None:
    with pytest.raises(IntegrityError, match="kept_pkey"):
        in_a_transaction(partial(keep, 1), partial(keep_soon, 1))
    assert kept() == []
    assert keep(3) == 1


def test_what_waits_when_a_transaction_is_rolled_back_is_never_sent() -> None:
    with pytest.raises(ZeroDivisionError):
        in_a_transaction(partial(keep_soon, 1), fail)
    with transaction.atomic():
        keep(2)
        keep_soon(3)
        transaction.set_rollback(True)
    assert keep(4) == 1
    assert kept() == [4]


def test_what_waits_before_a_savepoint_outlives_it() -> None:
    with transaction.atomic():
        keep_soon(1)
        with pytest.raises(ZeroDivisionError):
            in_a_transaction(partial(keep_soon, 2), fail)
        with transaction.atomic():
            keep_soon(3)
    assert kept() == [1, 3]


def several_in_one(cursor: Any) -> None:
    cursor.execute("INSERT INTO kept VALUES (7); INSERT INTO kept VALUES (8)")


def many(cursor: Any) -> None:
    cursor.executemany("INSERT INTO kept VALUES (%s)", [(7,), (8,)])


def copied(cursor: Any) -> None:
    with cursor.copy("COPY kept FROM STDIN") as copy:
        copy.write_row((7,))
        copy.write_row((8,))


def streamed(cursor: Any) -> None:
    assert list(cursor.stream("INSERT INTO kept SELECT max(number) + 6 FROM kept RETURNING number")) == [(7,)]
    keep(8)


@pytest.mark.parametrize("act", [several_in_one, many, copied, streamed])
def test_statements_of_every_kind_come_in_the_transaction_and_behind_those_that_wait(
    act: Callable[[Any], None],
) -> None:
    for is_rolled_back in (True, False):
        with transaction.atomic(), connection.cursor() as cursor:
            keep_soon(1)
            act(cursor)
            transaction.set_rollback(is_rolled_back)
        assert kept() == ([] if is_rolled_back else [1, 7, 8])


def test_rows_that_are_read_piece_by_piece_come_behind_what_waits() -> None:
    with transaction.atomic():
        execute_soon("INSERT INTO events_subjectcounter VALUES (gen_random_uuid(), %(last)s)", {"last": 5})
        for counters in SubjectCounter.objects.all(), SubjectCounter.objects.select_for_update():
            assert [counter.last for counter in counters.iterator()] == [5]
        transaction.set_rollback(True)


def after_commit(number: int) -> None:
    wrapper: Any = connection
    wrapper.after_commit(lambda: ("INSERT INTO kept VALUES (%(number)s)", {"number": number}))


def test_what_follows_a_commit_leaves_with_it_and_is_no_part_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, pipelining.__name__)
    with messages() as seen, transaction.atomic():
        keep_soon(1)
        after_commit(2)
    assert waits(seen) == 1
    assert kept() == [1, 2]
    assert not caplog.text
    with transaction.atomic():
        keep(3)
        after_commit(1)
    assert kept() == [1, 2, 3]
    assert "what was to follow a commit failed" in caplog.text
    assert keep(4) == 1


def test_nothing_follows_what_is_not_committed() -> None:
    with transaction.atomic():
        keep(1)
        after_commit(2)
        transaction.set_rollback(True)
    with pytest.raises(IntegrityError):
        in_a_transaction(partial(keep_soon, 3), partial(keep_soon, 3), partial(after_commit, 4))
    assert keep(5) == 1
    assert kept() == [5]


class TimeIsUp(Exception):
    """What a worker's time limit raises, wherever the work is at that moment."""


def raise_it(*_: Any, **__: Any) -> None:
    raise TimeIsUp


def test_a_time_limit_that_comes_while_it_waits_is_raised_and_ends_the_connection() -> None:
    before, pid = signal.signal(signal.SIGALRM, raise_it), backend()
    try:
        with a_transaction() as other:
            other.execute("LOCK TABLE kept")
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(TimeIsUp):
                in_a_transaction(partial(keep_soon, 1), partial(keep, 2))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert backend() != pid
    assert kept() == []


@pytest.mark.parametrize("name", ["commit", "rollback"])
def test_a_transaction_that_a_time_limit_left_open_is_no_part_of_the_next(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pid = backend()
    acts: list[Callable[[], object]] = [
        partial(keep, 1),
        partial(keep_soon, 2),
        *([fail] if name == "rollback" else []),
    ]
    with monkeypatch.context() as interrupted:
        interrupted.setattr(pipelining.Connection, name, raise_it)
        with pytest.raises(TimeIsUp):
            in_a_transaction(*acts)
    in_a_transaction(partial(keep, 3))
    assert kept() == [3]
    assert backend() != pid


def test_in_a_transaction_that_is_to_be_rolled_back_nothing_is_taken() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        in_a_transaction(partial(transaction.set_rollback, True), partial(keep_soon, 1))


def failing(act: Callable[[], object]) -> None:
    """Do this as one who takes its failure for nothing."""
    with pytest.raises(DatabaseError):
        act()


@pytest.mark.parametrize("number", [1, "\0"])  # which PostgreSQL refuses, and psycopg
@pytest.mark.parametrize("more", [(), (partial(keep_soon, 3), partial(failing, partial(keep, 4)))])
def test_a_transaction_of_which_a_statement_failed_cannot_be_committed(
    number: Any, more: tuple[Callable[[], object], ...]
) -> None:
    with pytest.raises(InternalError, match="only be rolled back"):
        in_a_transaction(partial(keep, 1), partial(keep_soon, number), partial(failing, partial(keep, 2)), *more)
    assert kept() == []
    assert keep(3) == 1


@pytest.mark.parametrize("number", [1, "\0"])
def test_what_failed_in_a_savepoint_that_is_rolled_back_is_no_matter(number: Any) -> None:
    inner = partial(in_a_transaction, partial(keep_soon, number), partial(keep_soon, 5), partial(keep, 2))
    in_a_transaction(partial(keep, 1), partial(failing, inner), partial(keep, 3))
    assert kept() == [1, 3]


def test_a_transaction_whose_begin_was_refused_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = backend()
    with monkeypatch.context() as patched:
        patched.setattr(pipelining, "BEGIN", ("BEGIN nonsense", None))
        with pytest.raises(DatabaseError):
            in_a_transaction(partial(failing, partial(keep, 1)), partial(keep, 2))
    connection.close()
    assert kept() == []
    assert backend() != pid


def test_what_cannot_say_what_is_to_follow_a_commit_ends_the_transaction() -> None:
    wrapper: Any = connection
    with pytest.raises(ZeroDivisionError):
        in_a_transaction(partial(keep, 1), partial(wrapper.after_commit, fail))
    assert kept() == []


@pytest.mark.parametrize("last", [keep, keep_soon])
def test_a_session_that_was_ended_within_its_transaction_says_why(last: Callable[[int], object]) -> None:
    execute("SET idle_in_transaction_session_timeout = '50ms'", {})
    with pytest.raises(DatabaseError, match="idle-in-transaction"):
        in_a_transaction(partial(keep, 1), is_ended, partial(keep_soon, 2), partial(last, 3))
    connection.close()
    assert kept() == []


def test_no_message_follows_that_which_ends_a_pipeline() -> None:
    """PostgreSQL would not note the time since when a session is idle in its transaction."""
    with messages() as seen:
        for number in range(0, 20, 2):  # psycopg sends it where the answers are not there at once
            in_a_transaction(partial(keep_soon, number), partial(keep, number + 1))
    names = {name for _, _, name in seen}
    assert "Sync" in names
    assert "Flush" not in names


def test_what_is_more_than_a_socket_takes_at_once_is_sent_whole() -> None:
    text = "x" * 20_000_000
    with transaction.atomic():
        execute_soon("SELECT %(text)s::text", {"text": text})
        assert fetch("SELECT length(%(text)s::text)", {"text": text}) == [(len(text),)]
        execute_soon("SELECT length(%(text)s::text)", {"text": text})


def test_a_time_limit_before_the_sync_is_raised_and_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise TimeIsUp

    pid = backend()
    with monkeypatch.context() as patched:
        patched.setattr(pipelining._Pipeline, "_enqueue_sync", interrupted)
        with pytest.raises(TimeIsUp):
            in_a_transaction(partial(keep_soon, 1), partial(keep, 2))
    connection.close()
    assert kept() == []
    assert backend() != pid


def test_a_session_that_is_ended_while_a_statement_runs_says_why() -> None:
    execute("SET transaction_timeout = '50ms'", {})
    with pytest.raises(DatabaseError, match="transaction timeout"):
        in_a_transaction(partial(keep_soon, 1), partial(fetch, "SELECT pg_sleep(%(long)s)", {"long": 20}))
    connection.close()
    assert kept() == []


def is_ended() -> None:
    until("it is ended", lambda: pipelining.has_something_to_read(connection.connection.fileno()))


def test_a_mode_that_was_left_half_set_is_set_before_the_next_transaction() -> None:
    wrapper = connections[DEFAULT_DB_ALIAS]
    in_a_transaction(partial(keep, 1))
    wrapper.autocommit = False  # as if a time limit had come before Django noted that it is on
    in_a_transaction(partial(keep, 2))
    assert kept() == [1, 2]
    assert wrapper.get_autocommit()


def test_what_waits_in_a_savepoint_that_is_rolled_back_is_not_sent() -> None:
    with transaction.atomic():
        keep(1)
        with pytest.raises(ZeroDivisionError):
            in_a_transaction(partial(keep_soon, 1), fail)
    assert kept() == [1]


def test_options_that_have_no_effect_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "OPTIONS", connection.settings_dict["OPTIONS"] | {"pool": True})
        with pytest.raises(ImproperlyConfigured, match="pool"):
            connection.ensure_connection()


def test_a_connection_that_is_lost_on_the_way_is_an_error_of_the_database() -> None:
    with pytest.raises(OperationalError):
        in_a_transaction(partial(keep, 1), lose_the_connection, partial(keep_soon, 2))
    connection.close()
    with pytest.raises(OperationalError):
        in_a_transaction(partial(keep_soon, 1), lose_the_connection, partial(keep, 2))
    connection.close()
    try:
        fail()
    except ZeroDivisionError:  # whoever is at work on another error is told of this one
        with pytest.raises(OperationalError):
            in_a_transaction(partial(keep_soon, 1), lose_the_connection, partial(keep, 2))
    connection.close()
    assert kept() == []


def lose_the_connection() -> None:
    with a_transaction() as other:
        end = "SELECT pg_terminate_backend(%s, 20000)"  # milliseconds; it waits until the session has ended
        assert other.execute(end, [connection.connection.info.backend_pid]).fetchall() == [(True,)]
