"""DATABASE_REPLICA_URL names a replica: lists and figures of the admin, and reports, come from it while it is close."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from events.tests.waiting import until
from local.postgres import NAME
from local.settings import Settings
from tests.journeys.client import Api, call, confirmed
from tests.journeys.clusters import Standby
from tests.journeys.desk import desk, post
from tests.journeys.reporting import ask, handled, ready
from tests.journeys.running import run_started
from tests.journeys.system import PASSWORD, System

SKU = "TEA-ASSAM-100"
MOST_BEHIND = 2  # seconds
ORDERS = "/admin/orders/order/"
READERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


class ReplicatedSystem(System):
    replica: Standby

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        self.replica = Standby(self.folder / "replica", self.servers.database_url, self.others)
        self.replica.server.start()
        self.environment |= {"DATABASE_REPLICA_URL": self.replica.url, "REPLICA_MOST_BEHIND": str(MOST_BEHIND)}
        return super().commands(settings)

    def at_the_replica(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.replica.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def late(self) -> Iterator[None]:
        """The replica gets everything, and shows none of it, until the block ends."""
        self.at_the_replica("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            self.at_the_replica("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def running() -> Iterator[ReplicatedSystem]:
    with run_started(ReplicatedSystem) as system:
        yield system


@pytest.fixture
def admin(system: ReplicatedSystem) -> Iterator[httpx.Client]:
    with desk(system.web, "admin@example.com", PASSWORD) as client:
        yield client


def read_from(client: httpx.Client, path: str = ORDERS) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return str(answer.headers.get("X-Read-From", "primary"))


def source_of(system: System, report: Any) -> str:
    """Return which of DATABASES a report was read from, as the worker has logged it."""
    (line,) = [line for line in system.lines("worker-reports") if f"report {report['id']} is read from" in line]
    return line.split()[-1]


@pytest.mark.parametrize(
    "path",
    [
        ORDERS,
        "/admin/events/delivery/",
        "/admin/orders/order/export.csv",
        "/admin/sales/data?from=2026-01-01&to=2026-01-31",
        "/admin/operations/data",
    ],
)
def test_lists_exports_and_figures_come_from_the_replica(
    system: ReplicatedSystem, admin: httpx.Client, path: str
) -> None:
    until("it is close", lambda: read_from(admin, path) == "replica")
    assert system.at_the_replica(READERS, "ordersite web") != [(0,)]


def test_who_may_do_what_and_pages_of_one_thing_come_from_the_primary(
    system: ReplicatedSystem, ada: Api, admin: httpx.Client
) -> None:
    until("it is close", lambda: read_from(admin) == "replica")
    with system.late():
        order = ada.order(SKU)
        assert order["number"] in admin.get(f"{ORDERS}{order['id']}/change/").text
        assert ada.get("/orders").json["results"][0]["id"] == order["id"]
        confirmed(ada, order)
        with desk(system.web, "admin@example.com", PASSWORD) as other:
            assert read_from(other, "/admin/users/user/") == "primary"


def test_what_a_person_has_changed_they_see_at_once(system: ReplicatedSystem, admin: httpx.Client) -> None:
    until("it is close", lambda: read_from(admin) == "replica")
    post(admin, ORDERS, action="")
    assert read_from(admin) == "primary"
    until("the change is old", lambda: read_from(admin) == "replica")


def test_one_that_is_late_is_not_read_and_is_told(system: ReplicatedSystem, ada: Api, admin: httpx.Client) -> None:
    until("it is close", lambda: read_from(admin) == "replica")
    with system.late():
        order = ada.order(SKU)
        until("it is too late", lambda: read_from(admin) == "primary")
        assert order["number"] in admin.get(ORDERS).text
        assert "come from the primary: the replica is" in admin.get("/admin/").text
        report = ask(system.person("admin"))
        assert order["number"] in [line["number"] for line in ready(system.person("admin"), report)]
        handled(system, report)
        assert source_of(system, report) == "default"
    until("it is close again", lambda: read_from(admin) == "replica")
    assert "come from the replica" in admin.get("/admin/").text
    metrics = call("GET", f"{system.web}/metrics").body.decode()
    (behind,) = [line for line in metrics.splitlines() if line.startswith("ordersite_replica_behind_seconds ")]
    assert float(behind.split()[1]) <= MOST_BEHIND


def test_a_report_has_what_was_there_when_it_was_begun_and_is_read_from_the_replica(
    system: ReplicatedSystem, ada: Api, staff: Api
) -> None:
    order = ada.order(SKU)
    report = ask(staff)
    assert order["number"] in [line["number"] for line in ready(staff, report)]
    handled(system, report)
    assert source_of(system, report) == "replica"


def test_one_that_is_gone_is_noticed_by_nobody(system: ReplicatedSystem, ada: Api, admin: httpx.Client) -> None:
    until("it is close", lambda: read_from(admin) == "replica")
    system.replica.server.stop()
    try:
        for path in (ORDERS, "/admin/operations/data"):
            assert read_from(admin, path) == "primary"
        confirmed(ada, ada.order(SKU))
        assert system.ready().status == 200
    finally:
        system.replica.server.start()
    until("it is read again", lambda: read_from(admin) == "replica", seconds=30)


LOOK = """
import django
django.setup()
from postgres.replica import may_be_read, source_of_now
print(may_be_read(), source_of_now())
"""


def test_a_database_that_is_no_replica_of_ours_is_not_read(system: ReplicatedSystem) -> None:
    assert system.run("-c", LOOK).split() == ["True", "replica"]
    others = system.replica.url.replace(f"/{NAME}?", "/postgres?")
    assert system.run("-c", LOOK, DATABASE_REPLICA_URL=others).split()[-2:] == ["False", "default"]
    primary = system.servers.database_url
    assert system.run("-c", LOOK, DATABASE_REPLICA_URL=primary).split()[-2:] == ["False", "default"]


def test_while_the_database_is_a_standby_metrics_say_so(system: ReplicatedSystem) -> None:
    """Both URLs lead to it, as in the middle of a fail-over."""
    look = LOOK.replace(
        "print(", "from ordersite.metrics import Replica\nprint([*Replica().collect()][0].samples[0].value, "
    )
    assert system.run("-c", look, DATABASE_URL=system.replica.url).split()[-3:] == ["inf", "False", "default"]
