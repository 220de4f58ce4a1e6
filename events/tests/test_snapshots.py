import logging
from typing import Any

import psycopg
import pytest
from django.db import connection

from events.relaying.watchdog import REMIND_HOLDER_EVERY, Watchdog
from events.statistics import snapshots
from events.statistics.snapshots import Holder, oldest_holder
from events.tests.servers import a_transaction

pytestmark = pytest.mark.django_db(transaction=True)


def hold(other: "psycopg.Connection[Any]") -> int:
    """Take a snapshot and keep it, as pg_dump does; return the session's pid."""
    other.rollback()
    other.execute("SET application_name = 'pg_dump'")
    other.commit()
    other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    other.execute("SELECT count(*) FROM events_event")
    return other.info.backend_pid


def transactions(count: int) -> None:
    with connection.cursor() as cursor:
        for _ in range(count):
            cursor.execute("SELECT pg_current_xact_id()")


def test_the_session_that_holds_an_old_snapshot_is_named() -> None:
    with a_transaction() as other:
        pid = hold(other)
        transactions(3)
        assert oldest_holder() is None, "it is not old yet"
        holder = oldest_holder(held_for=0)
        assert holder is not None
        assert (holder.kind, holder.pid, holder.name, holder.state) == (
            "session",
            pid,
            "pg_dump",
            "idle in transaction",
        )
        assert holder.user == connection.settings_dict["USER"]
        assert holder.transactions >= 3
        for part in ("session pg_dump", f"pid {pid}", f"user {holder.user}", "idle in transaction"):
            assert part in str(holder)
        other.rollback()
        assert oldest_holder(held_for=0) is None


def test_a_session_that_only_has_a_transaction_open_holds_nothing() -> None:
    with a_transaction():
        transactions(3)
        assert oldest_holder(held_for=0) is None


def test_one_that_wrote_holds_back_as_much_as_one_that_reads() -> None:
    with a_transaction() as other:
        other.execute("SELECT pg_current_xact_id()")
        transactions(3)
        assert oldest_holder(held_for=0) is not None


def test_a_role_that_is_not_told_since_when_tells_by_the_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MANY", 3)
    with a_transaction() as other, connection.cursor() as cursor:
        pid = hold(other)
        transactions(3)
        cursor.execute("CREATE ROLE somebody")
        try:
            cursor.execute("SET ROLE somebody")
            holder = oldest_holder()
            cursor.execute("RESET ROLE")
        finally:
            cursor.execute("DROP ROLE somebody")
        assert holder is not None
        assert (holder.pid, holder.name, holder.state, holder.seconds) == (pid, "pg_dump", "", 0)


def test_the_relays_log_names_it_at_the_beginning_every_ten_minutes_and_tells_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "events.relaying.watchdog")
    watchdog = Watchdog()

    def told(now: float, pid: int | None) -> list[str]:
        caplog.clear()
        holder = Holder("session", pid, "pg_dump", "ann", "10.0.0.5", "active", 61.0, 1_200) if pid else None
        watchdog.report_holder(holder, now)
        return [record.message for record in caplog.records]

    (line,) = told(1_000, 7)
    assert line.startswith("session pg_dump, pid 7, user ann, from 10.0.0.5, active, has held a snapshot for 61 s")
    assert told(1_005, 7) == []
    assert len(told(1_010, 8)) == 1
    assert len(told(1_010 + REMIND_HOLDER_EVERY, 8)) == 1
    assert told(1_700, None) == ["no old snapshot is held any more"]
    assert told(1_705, None) == []
