"""A connection that is kept from one request to the next is looked at in between."""

import psycopg
import pytest
from django.db import connection

from events.tests.waiting import until


def kept() -> "psycopg.Connection[object]":
    connection.ensure_connection()
    assert isinstance(connection.connection, psycopg.Connection)
    return connection.connection


@pytest.mark.django_db(transaction=True)
def test_a_good_one_is_told_without_asking_the_server() -> None:
    pid = kept().info.backend_pid
    last = "SELECT query_start FROM pg_stat_activity WHERE pid = %s"
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        before = other.execute(last, [pid]).fetchall()
        assert connection.is_usable()
        assert other.execute(last, [pid]).fetchall() == before


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
