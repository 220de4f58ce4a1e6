"""What the statements of the bus share."""

import pytest
from django.db import OperationalError, connection, transaction

from events import sql
from events.policy import Limits, default_limits
from events.sql import bounded_transaction, columns, fetch, joined_transaction

WHOLE = ("statement_timeout", "transaction_timeout")


def test_rows_become_a_list_for_each_column() -> None:
    assert columns([(1, "a"), (2, "b")], 2) == [[1, 2], ["a", "b"]]
    assert columns([], 2) == [[], []]


@pytest.mark.django_db(transaction=True)
def test_a_transaction_is_opened_or_that_which_is_open_is_joined_without_a_savepoint() -> None:
    with joined_transaction():
        assert connection.in_atomic_block
    assert not connection.in_atomic_block
    with transaction.atomic():
        savepoints = list(connection.savepoint_ids)
        with joined_transaction():
            assert connection.savepoint_ids == savepoints


def timeouts() -> dict[str, str]:
    names = ("lock_timeout", "idle_in_transaction_session_timeout", *WHOLE)
    (row,) = fetch(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}", {})
    return dict(zip(names, row, strict=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("version", "whole"), [(169_999, WHOLE[0]), (170_000, WHOLE[1])])
def test_a_transaction_is_bounded_as_the_server_can_and_only_to_its_end(
    version: int, whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = timeouts()
    monkeypatch.setattr(sql, "_server_version", lambda: version)
    with bounded_transaction(Limits(10)):
        assert timeouts() == before | {
            "lock_timeout": "2s",
            "idle_in_transaction_session_timeout": "4s",
            whole: "4s",
        }
    assert timeouts() == before


@pytest.mark.django_db(transaction=True)
def test_on_a_connection_that_is_lost_a_transaction_does_not_begin() -> None:
    connection.ensure_connection()
    connection.connection.close()
    with pytest.raises(OperationalError):
        begin()
    connection.close()


def begin() -> None:
    with bounded_transaction(default_limits()):
        fetch("SELECT 1", {})
