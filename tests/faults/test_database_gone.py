"""PostgreSQL crashes, is restarted, or takes no more connections: 503 meanwhile, and then all goes on by itself."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.watching import all_confirmed, catch_up, check_refused, count_orders, no_process_ends, tries
from tests.journeys.client import Answer, call
from tests.journeys.system import LEASE, OURS

SESSION = "sessionid=" + "x" * 32  # an admin page looks it up
RATE = 5  # orders a second
BACK = 5 + 3  # seconds; the relay is back within 5, and an order takes some on a machine that is busy
WEB = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ordersite web%'"


def crash(system: FaultySystem, load: Load) -> None:
    """Have PostgreSQL drop everything at once, as pg_ctl does for `-m immediate`. The supervisor starts it again."""
    pid = system.servers.postgres.pid
    assert pid
    os.kill(pid, signal.SIGQUIT)
    until("it is gone", lambda: system.servers.postgres.pid != pid)
    system.servers.postgres.start()


def restart(system: FaultySystem, load: Load) -> None:
    """Stop PostgreSQL as for an update, and start it when somebody has noticed."""
    system.servers.postgres.stop()
    try:
        until("a request is turned away", lambda: load.answers[-1].status != 201)
    finally:
        system.servers.postgres.start()


def be_away(system: FaultySystem, load: Load) -> None:
    """Stop PostgreSQL for longer than any worker holds on to what it cannot write down."""
    stopped = time.monotonic()
    system.servers.postgres.stop()
    try:
        until("three leases are over", lambda: load.answers[-1].at > stopped + 3 * LEASE, seconds=60)
        check_no_page(call("GET", f"{system.web}/admin/", Cookie=SESSION))
        check_no_page(call("GET", f"{system.web}/health/ready"))
    finally:
        system.servers.postgres.start()


def check_no_page(answer: Answer) -> None:
    """The answer says that the database is away, and nothing of how this was noticed."""
    assert (answer.status, answer.json["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers.get_content_type() == "application/problem+json"


@pytest.mark.parametrize("fault", [crash, restart, pytest.param(be_away, marks=pytest.mark.chaos)])
def test_a_database_that_fails_under_load_costs_nothing_but_503s(
    system: FaultySystem, fault: Callable[[FaultySystem, Load], None]
) -> None:
    sku = system.product(pieces=5_000)
    with no_process_ends(system):
        with Load(system, RATE, [sku]) as load:
            load.more(15)
            fault(system, load)
            load.more(15)
        catch_up(system)
    check_refused(load, some=fault is not crash)  # which may be over before anybody has noticed
    assert count_orders(system, sku) == len(load.orders)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)


@contextmanager
def all_connections_taken(system: FaultySystem, load: Load) -> Iterator[None]:
    """Hold every connection that PostgreSQL has, those of the web too, until the block ends."""
    taken: list[psycopg.Connection] = []

    def the_web_has_none() -> bool:
        taken[0].execute(WEB)
        while True:
            try:
                taken.append(psycopg.connect(system.servers.database_url, autocommit=True))
            except psycopg.OperationalError:
                break
        return {answered.status for answered in load.answers[-20:]} == {503}

    try:
        taken.append(psycopg.connect(system.servers.database_url, autocommit=True))
        until("the web has no connection", the_web_has_none, seconds=60)
        yield
    finally:
        for connection in taken:
            connection.close()


def test_without_a_free_connection_requests_are_turned_away_and_nothing_is_half_written(
    system: FaultySystem,
) -> None:
    sku = system.product(pieces=5_000)
    with no_process_ends(system):
        with Load(system, RATE, [sku]) as load:
            load.more(15)
            with all_connections_taken(system, load):
                check_no_page(call("GET", f"{system.web}/admin/", Cookie=SESSION))
                before = len(load.answers)
                until("more requests are refused", lambda: len(load.answers) > before + 20)
            load.more(15)
        catch_up(system)
    check_refused(load)
    assert count_orders(system, sku) == len(load.orders)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)


@contextmanager
def read_only(system: FaultySystem) -> Iterator[None]:
    """Have PostgreSQL refuse every write, as the old primary does after a switch-over, until the block ends."""
    system.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    system.sql("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        system.sql("ALTER SYSTEM RESET default_transaction_read_only")
        system.sql("SELECT pg_reload_conf()")


@pytest.mark.chaos
def test_a_database_that_takes_no_writes_costs_nothing_but_503s(system: FaultySystem) -> None:
    """For four leases, which is longer than all attempts of a delivery would take."""
    sku = system.product(pieces=5_000)
    logged = len(system.lines(*OURS))
    with no_process_ends(system):
        with Load(system, RATE, [sku]) as load:
            load.more(15)
            with read_only(system):
                since = time.monotonic()
                until("it has lasted", lambda: load.answers[-1].at > since + 4 * LEASE, seconds=60)
                ready = call("GET", f"{system.web}/health/ready")
                check_no_page(ready)
                assert "read-only" in ready.json["detail"]
            (ended,) = system.sql("SELECT clock_timestamp()")[0]
            confirmed = "SELECT 1 FROM orders_order WHERE status = 'confirmed' AND created_at > %s"
            until("new orders are confirmed", lambda: system.sql(confirmed, ended), seconds=BACK)
            load.more(15)
        catch_up(system)
    check_refused(load)
    assert count_orders(system, sku) == len(load.orders)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)
    assert {attempts for attempts, _ in tries(system, sku)} == {1}
    assert [line for line in system.lines(*OURS)[logged:] if line.startswith("Traceback")] == []
