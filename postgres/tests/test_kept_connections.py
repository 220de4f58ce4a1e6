"""A connection that is kept from one request to the next is looked at in between."""

from pathlib import Path

import psycopg
import pytest
from django.db import Error as DatabaseError
from django.db import OperationalError, close_old_connections, connection, transaction

from events.tests.servers import backend, read_only_database
from events.tests.waiting import until
from postgres.pipelining import Connection

ASKED = "-c lock_timeout=3000"


def kept() -> "psycopg.Connection[object]":
    connection.ensure_connection()
    assert isinstance(connection.connection, psycopg.Connection)
    return connection.connection


@pytest.mark.django_db(transaction=True)
def test_a_good_one_is_told_without_asking_the_server() -> None:
    pid = kept().info.backend_pid
    last = "SELECT query_start FROM pg_stat_activity WHERE pid = %s"
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:

        def told_without_asking() -> bool:
            before = other.execute(last, [pid]).fetchall()
            return connection.is_usable() and other.execute(last, [pid]).fetchall() == before

        # At once, unless the server has just told this connection of a setting that another test put back.
        until("it is told without asking", told_without_asking)


@pytest.mark.django_db(transaction=True)
def test_one_that_the_server_has_ended_is_told_before_it_is_used() -> None:
    pid = kept().info.backend_pid
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
        until(
            "it is gone", lambda: not other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall()
        )
    assert not connection.is_usable()
    connection.close()


@pytest.mark.django_db
def test_one_whose_transaction_has_failed_is_not_usable() -> None:
    with connection.cursor() as cursor, pytest.raises(Exception, match="division by zero"):
        cursor.execute("SELECT 1/0")
    assert not connection.is_usable()


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_closed_is_not_usable() -> None:
    kept().close()
    assert not connection.is_usable()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_one_whose_server_has_refused_a_write_is_not_kept() -> None:
    before = backend()
    with read_only_database(), pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_delivery")
    close_old_connections()  # as at the end of each request
    assert backend() != before


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_comes_with_the_password_that_the_file_has_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE ordersite_b LOGIN SUPERUSER")
    try:
        file = tmp_path / "DATABASE_URL"
        monkeypatch.setitem(connection.settings_dict, "URL_FILE", file)
        for user in ("ordersite", "ordersite_b"):
            file.write_text(f"postgres://{user}:n%2Fw@elsewhere:5432/other\n")
            connection.close()
            assert kept().info.user == user
            assert connection.get_connection_params()["password"] == "n/w"
        for text in ("", "not a URL"):
            file.write_text(text)
            assert connection.get_connection_params()["user"] == "ordersite"
        file.unlink()
        assert connection.get_connection_params()["user"] == "ordersite"
        assert "cannot be read" in caplog.text
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP ROLE ordersite_b")


@pytest.mark.django_db(transaction=True)
def test_one_whose_settings_a_pool_has_lost_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a PgBouncer, which drops them: there the role's own count."""
    connect, user = Connection.connect, connection.settings_dict["USER"]
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", connection.settings_dict["OPTIONS"] | {"options": ASKED})
    monkeypatch.setattr(Connection, "connect", lambda **given: connect(**given | {"options": ""}))
    connection.close()
    for _ in range(2):  # it is not kept either
        with pytest.raises(OperationalError, match=f"ALTER ROLE {user} SET lock_timeout = '3000'"):
            connection.ensure_connection()
    with connect(**connection.get_connection_params() | {"options": ""}, autocommit=True) as other:
        other.execute(f"ALTER ROLE {user} SET lock_timeout = 2000")  # shorter than asked for will do
        try:
            connection.ensure_connection()
        finally:
            other.execute(f"ALTER ROLE {user} RESET lock_timeout")
    connection.close()
