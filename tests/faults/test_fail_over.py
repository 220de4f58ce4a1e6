"""The primary is killed and its synchronous standby promoted: DATABASE_URL names both, and all goes on."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from events.tests.waiting import until
from local.postgres import NAME, PORT
from local.settings import Settings
from tests.faults import guarantees
from tests.faults.conftest import Running
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.watching import all_confirmed, catch_up, check_refused, count_orders
from tests.journeys.client import Api, confirmed
from tests.journeys.clusters import Standby

pytestmark = pytest.mark.chaos

RATE = 5  # orders a second
BACK = 10  # seconds after the promotion in which orders are taken again, and then until one is confirmed


class TwoDatabases(FaultySystem):
    """Its processes know both; a commit is answered once the standby has it."""

    standby: Standby

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        primary = self.servers.database_url
        self.standby = Standby(self.folder / "standby", primary, self.others)
        self.standby.server.start()
        with psycopg.connect(primary, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        until("the standby follows", self.standby.follows)
        sockets = primary.partition("?host=")[2], quote(str(self.standby.socket))
        self.environment["DATABASE_URL"] = (
            f"postgresql://{NAME}@/{NAME}?host={','.join(sockets)}&port={PORT},{PORT}&target_session_attrs=read-write"
        )
        return super().commands(settings)

    def fail_over(self) -> None:
        """Kill the primary, for good, and promote the standby; the test's own questions go there from now on."""
        pid = self.servers.postgres.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        self.servers.postgres.stop()  # before it is started again
        self.standby.promote()
        self.servers.urls["DATABASE_URL"] = self.standby.url


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running(TwoDatabases)
    yield running
    running.stop()


def test_no_accepted_order_is_lost_and_all_goes_on_at_the_one_that_is_promoted(system: TwoDatabases, ada: Api) -> None:
    sku = system.product(pieces=5_000)
    with Load(system, RATE, [sku]) as load:
        load.more(20)
        system.fail_over()
        confirmed(ada, until("the web takes orders again", partial(order, ada, sku), seconds=BACK), seconds=BACK)
        load.more(40)
    catch_up(system)
    check_refused(load, some=False)  # it may be over before anybody has noticed
    assert count_orders(system, sku) == len(load.orders) + 1
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)


def order(person: Api, sku: str) -> Any:
    """Place an order; return it, None where it is not taken."""
    answer = person.post("/orders", {"items": [{"sku": sku, "quantity": 1}]})
    return answer.json if answer.status == 201 else None
