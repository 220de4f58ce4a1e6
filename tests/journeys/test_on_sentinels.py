"""The broker is a Redis that three Sentinels watch: BROKER_URL names them, and whichever is the master is found."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from events.tests.waiting import until
from local.processes import ONE_A_QUEUE
from local.servers import Server
from local.settings import CHECKOUT, free_port
from tests.journeys.client import Api, confirmed
from tests.journeys.conftest import run_system
from tests.journeys.haproxy import HAPROXY, HAPROXY_MISSING
from tests.journeys.redis_server import BINARY
from tests.journeys.sentinels import Sentinels
from tests.journeys.system import System

# With the fixtures below, these run on it.
from tests.journeys.test_an_orders_life import test_an_order_is_confirmed_and_its_mails_arrive
from tests.journeys.test_bad_days import test_each_process_passes_its_health_check

__all__ = [
    "test_an_order_is_confirmed_and_its_mails_arrive",
    "test_each_process_passes_its_health_check",
]

pytestmark = pytest.mark.skipif(not BINARY, reason="redis-server is not on PATH: apt-get install redis-server")

SKU = "TEA-ASSAM-100"
PAGE = CHECKOUT / "docs" / "brokers.md"


@pytest.fixture(scope="module")
def sentinels() -> Iterator[Sentinels]:
    with tempfile.TemporaryDirectory(prefix="ordersite-sentinel-") as folder, Path(folder, "log").open("w") as log:
        sentinels = Sentinels(Path(folder), log=lambda _, line: print(line, file=log))
        try:
            sentinels.start()
            yield sentinels
        finally:
            sentinels.stop()


@pytest.fixture(scope="module")
def running(sentinels: Sentinels) -> Iterator[System]:
    with run_system(sentinels) as system:
        yield system


def test_flower_counts_the_messages_of_all_queues(system: System) -> None:
    def counted() -> set[str]:
        return {queue["name"] for queue in system.flower("/api/queues/length").json["active_queues"]}

    until("Flower counts in all queues", lambda: counted() >= set(ONE_A_QUEUE))


@pytest.mark.skipif(not HAPROXY, reason=HAPROXY_MISSING)
def test_a_proxy_that_follows_the_master_is_as_good(system: System, sentinels: Sentinels, ada: Api) -> None:
    """From now on relay and a worker come by HAProxy, set up as the page says, and the others by the Sentinels."""
    (page,) = [block for block in re.findall(r"```\n(.*?)```", PAGE.read_text(), re.DOTALL) if "listen redis" in block]
    port, configuration = free_port(), system.folder / "haproxy.cfg"
    given = {":6379": f"127.0.0.1:{port}", "PASSWORD": sentinels.password}
    given |= dict(zip(("REDIS_1", "REDIS_2"), sentinels.addresses, strict=True))
    for name, value in given.items():
        page = page.replace(name, value)
    configuration.write_text(page)
    url = f"redis://:{sentinels.password}@127.0.0.1:{port}/0"
    process = system.others.add("haproxy", [str(HAPROXY), "-f", str(configuration)])
    Server(process, lambda: leads_to_a_master(url)).start()
    system.move(url, "relay", "worker-inventory")
    confirmed(ada, ada.order(SKU), seconds=60)


def leads_to_a_master(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=1) as broker:
            return bool(broker.info("replication")["role"] == "master")
    except redis.RedisError:
        return False


def test_when_the_master_is_gone_all_goes_on_with_the_one_that_is_promoted(
    system: System, sentinels: Sentinels, ada: Api
) -> None:
    confirmed(ada, ada.order(SKU), seconds=60)
    sentinels.server.stop()
    orders = [ada.order(SKU) for _ in range(5)]
    until("the other is promoted", sentinels.is_promoted, seconds=60)
    for order in orders:
        confirmed(ada, order, seconds=60)
        assert system.delivery(order, "inventory.reserve_items")[2] == 1
    assert system.ready().json["broker"] == "ok"
    confirmed(ada, ada.order(SKU), seconds=60)


def test_a_sentinel_that_is_away_holds_nobody_up(system: System, sentinels: Sentinels, ada: Api) -> None:
    """Last: the Sentinels that are left could not promote anybody any more. New connections ask the others."""
    sentinels.stop_the_first()
    for _ in range(5):
        assert system.ready().json["broker"] == "ok"
    confirmed(ada, ada.order(SKU), seconds=60)
