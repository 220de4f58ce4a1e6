import errno
import socket

import psycopg
import pytest
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction

from events.errors import Failure, classify, in_one_line, is_deadlock
from events.tests.servers import read_only_database


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        ConnectionResetError(),
        TimeoutError(),
        socket.gaierror(),
        OSError(errno.EHOSTUNREACH, "no route"),
    ],
)
def test_a_host_that_cannot_be_reached_is_away(error: Exception) -> None:
    assert classify(error) is Failure.AWAY


def test_a_full_disk_of_ours_is_not_a_host_that_is_away() -> None:
    assert classify(OSError(errno.ENOSPC, "disk full")) is Failure.TRANSIENT


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "failure"),
    [
        ("08006", Failure.AWAY),
        ("53300", Failure.AWAY),
        ("57P01", Failure.AWAY),
        ("25006", Failure.AWAY),
        ("25001", Failure.TRANSIENT),
        ("0A000", Failure.TRANSIENT),
        ("57014", Failure.TRANSIENT),
        ("55P03", Failure.TRANSIENT),
    ],
)
def test_postgresqls_own_errors_are_told_apart_by_their_sqlstate(state: str, failure: Failure) -> None:
    error = raised(state)
    assert classify(error) is failure
    assert not is_deadlock(error)


@pytest.mark.django_db
def test_a_cursor_that_was_closed_is_a_bug_and_not_a_database_that_is_away() -> None:
    cursor = connection.cursor()
    cursor.close()
    with pytest.raises(InterfaceError) as caught:
        cursor.execute("SELECT 1")
    assert classify(caught.value) is Failure.TRANSIENT


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_in_a_transaction_is_a_database_that_is_away() -> None:
    with pytest.raises((InterfaceError, OperationalError)) as caught:
        lose_it_in_a_transaction()
    assert classify(caught.value) is Failure.AWAY


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_a_deadlock_and_a_serialization_failure_may_be_run_again(state: str) -> None:
    assert is_deadlock(raised(state))


@pytest.mark.django_db(transaction=True)
def test_a_read_only_database_is_away() -> None:
    connection.ensure_connection()
    with read_only_database(), pytest.raises(DatabaseError) as caught, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE not_made ()")
    assert classify(caught.value) is Failure.AWAY


@pytest.mark.django_db(transaction=True)
def test_a_prepared_statement_whose_result_changed_is_prepared_anew_on_the_next_connection() -> None:
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as migration:
        migration.execute("CREATE TABLE changing (a integer)")
        try:
            for _ in range(10):
                columns_of_changing()
            migration.execute("ALTER TABLE changing ADD COLUMN b integer")
            with pytest.raises(DatabaseError, match="cached plan") as caught:
                columns_of_changing()
            assert classify(caught.value) is Failure.AWAY
            close_old_connections()  # as at the end of a request
            assert columns_of_changing() == 2
        finally:
            migration.execute("DROP TABLE changing")


def test_an_error_is_told_in_one_line() -> None:
    assert in_one_line(OperationalError("refused\n\tIs it running?\n")) == "OperationalError: refused Is it running?"


def columns_of_changing() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM changing")
        return len(cursor.description)


def lose_it_in_a_transaction() -> None:
    with transaction.atomic():
        connection.close()
        connection.cursor()


def raised(state: str) -> Exception:
    """Have PostgreSQL raise this error."""
    with pytest.raises(DatabaseError) as caught, connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{state}'; END $$")
    return caught.value
