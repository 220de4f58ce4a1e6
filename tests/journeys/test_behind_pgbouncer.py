"""Processes that share no disk: PostgreSQL by a PgBouncer that pools transactions, reports by a bucket of S3.

The PgBouncer is set up as docs/pgbouncer.md says.
"""

from collections.abc import Iterator

import psycopg
import pytest

from events.tests.waiting import until
from local.settings import Settings
from testing.s3 import S3, run_s3
from tests.journeys.client import Api, confirmed
from tests.journeys.pgbouncer import BINARY, MISSING, PgBouncer
from tests.journeys.reporting import ask, files, handled, ready
from tests.journeys.running import run_started
from tests.journeys.system import System

# With the fixtures below, these run behind it.
from tests.journeys.test_an_orders_life import test_an_order_is_confirmed_and_its_mails_arrive
from tests.journeys.test_bad_days import (
    test_bad_data_make_a_dead_letter_that_flower_shows_failed_until_it_is_replayed,
    test_status_finds_everything_up,
)

__all__ = [
    "test_an_order_is_confirmed_and_its_mails_arrive",
    "test_bad_data_make_a_dead_letter_that_flower_shows_failed_until_it_is_replayed",
    "test_status_finds_everything_up",
]

pytestmark = pytest.mark.skipif(not BINARY, reason=MISSING)

SKU = "TEA-ASSAM-100"
ROLES = ("web", "grpc", "relay")  # the others are workers


class PooledSystem(System):
    """Its processes have the roles of the page; what a test runs by hand asks PostgreSQL itself, as migrate does."""

    pool: PgBouncer

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        self.pool = PgBouncer(self.folder / "pool", self.servers.database_url, self.others)
        self.pool.server.start()
        return {
            name: [
                "env",
                f"DATABASE_URL={self.pool.url(name if name in ROLES else 'worker')}",
                "PREPARED_STATEMENTS=0",
                *argv,
            ]
            for name, argv in super().commands(settings).items()
        }


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with run_s3() as s3:
        yield s3


@pytest.fixture(scope="module")
def running(s3: S3) -> Iterator[PooledSystem]:
    more = {"REPORTS_STORAGE_URL": s3.storage_url}
    with run_started(lambda folder: PooledSystem(folder, more=more)) as system:
        yield system


def test_a_report_goes_by_the_bucket(system: PooledSystem, s3: S3, ada: Api, staff: Api) -> None:
    order = ada.order(SKU, 3)
    report = ask(staff)
    assert order["number"] in [line["number"] for line in ready(staff, report)]
    handled(system, report)
    assert [key.rpartition("/")[2].partition(".")[0] for key in s3.objects()] == [report["id"]]
    assert files(system, report) == []
    assert staff.delete(f"/reports/{report['id']}").status == 204
    assert s3.objects() == []


def test_each_kind_of_process_has_its_role_and_its_time_outs(system: PooledSystem, ada: Api) -> None:
    confirmed(ada, ada.order(SKU))
    seen = "SELECT DISTINCT usename::text, application_name FROM pg_stat_activity WHERE usename ~ 'ordersite_'"
    assert {("ordersite_web", "ordersite web"), ("ordersite_relay", "ordersite relay")} <= set(system.sql(seen))
    expected = {"web": ("3s", "10s"), "grpc": ("3s", "10s"), "relay": ("0", "0"), "worker": ("0", "0")}
    for role, timeouts in expected.items():
        with psycopg.connect(system.pool.url(role)) as connection:
            ask = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
            assert connection.execute(ask).fetchall() == [timeouts]


def test_the_web_sees_who_is_at_work(system: PooledSystem) -> None:
    environment = {"DATABASE_URL": system.pool.url("web"), "PREPARED_STATEMENTS": "0", "PROCESS_KIND": "web"}
    system.run("manage.py", "status", **environment)


def test_a_role_without_its_time_outs_is_told_and_orders_are_taken_again_once_it_has_them(
    system: PooledSystem, ada: Api
) -> None:
    system.sql("ALTER ROLE ordersite_web RESET lock_timeout")
    system.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ordersite_web'")
    try:
        until("it is told", lambda: system.ready().status == 503)
        until(
            "the log says what to do", lambda: any("SET lock_timeout = '3000'" in line for line in system.lines("web"))
        )
    finally:
        system.sql("ALTER ROLE ordersite_web SET lock_timeout = '3000'")
        system.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ordersite_web'")
    until("the web is back", system.is_ready)
    confirmed(ada, ada.order(SKU))
