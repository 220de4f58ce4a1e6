"""Two webs behind HAProxy, set up as deploy/haproxy/haproxy.cfg has it, are restarted in turn under load."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from events.tests.waiting import until
from local.servers import Server
from local.settings import CHECKOUT, Settings, free_port
from tests.faults import guarantees
from tests.faults.conftest import Running
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.test_broker_gone import frozen
from tests.faults.watching import catch_up
from tests.journeys.client import Api, call
from tests.journeys.haproxy import HAPROXY, HAPROXY_MISSING

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not HAPROXY, reason=HAPROXY_MISSING),
]

RATE = 10  # orders a second
LINGER = 2  # seconds
ENDED = 30  # seconds for a process to end, and for the next one to serve


class TwoWebs(FaultySystem):
    """Its address is HAProxy's."""

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        ours = super().commands(settings)
        self.environment["WEB_LINGER"] = str(LINGER)
        second = free_port()
        self.webs = {"web": self.web, "web-2": f"http://127.0.0.1:{second}"}
        bind = f"127.0.0.1:{free_port()}"
        self.web = f"http://{bind}"
        addresses = {"BIND": bind, "WEB_1": f"127.0.0.1:{settings.web_port}", "WEB_2": f"127.0.0.1:{second}"}
        configuration = str(CHECKOUT / "deploy" / "haproxy" / "haproxy.cfg")
        process = self.others.add("haproxy", [str(HAPROXY), "-f", configuration], addresses)
        Server(process, lambda: listens(bind)).start()
        web = [str(second) if word == str(settings.web_port) else word for word in ours["web"]]
        return {**ours, "web-2": web}

    def restart(self, name: str) -> None:
        """Have a process end as a deployment does, and start it again."""
        process = self.supervisor.processes[name]
        process.ask_to_stop()
        if name in self.webs:
            until(f"{name} says that it ends", lambda: b"shutting_down" in self.ready_of(name))
            assert call("GET", f"{self.webs[name]}/health/live").status == 200  # and serves on
        process.stop(ENDED)
        process.start()
        if name in self.webs:
            until(f"{name} is ready", lambda: b'"ok"' in self.ready_of(name), seconds=ENDED)

    def ready_of(self, name: str) -> bytes:
        """Return what a web itself, not the proxy, says at /health/ready; nothing where it is not there."""
        try:
            return call("GET", f"{self.webs[name]}/health/ready").body
        except OSError:
            return b""


def listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running(TwoWebs)
    yield running
    running.stop()


def test_no_request_fails_while_webs_relay_and_workers_are_restarted_in_turn(system: TwoWebs, ada: Api) -> None:
    sku, over = system.product(pieces=5_000), Event()

    def look() -> list[int]:
        found = []
        while not over.is_set():
            found.append(ada.get("/orders").status)
        return found

    with ThreadPoolExecutor(2) as pool, Load(system, RATE, [sku]) as load:
        looking = [pool.submit(look) for _ in range(2)]
        try:
            for name in ("web", "web-2", "relay", "worker-inventory", "worker-orders", "web", "web-2"):
                load.more(10)
                system.restart(name)
            load.more(20)
        finally:
            over.set()
        looks = [status for each in looking for status in each.result()]
    assert [answered for answered in load.answers if answered.status != 201] == []
    assert len(looks) > 50
    assert set(looks) == {200}
    catch_up(system)
    guarantees.hold(system, load.orders)


def test_while_the_database_is_away_clients_are_told_so_by_the_web(system: TwoWebs, ada: Api) -> None:
    system.servers.postgres.stop()
    try:
        answer = until("the web says so", lambda: unavailable(ada))
        assert answer["detail"].startswith("The database")
    finally:
        system.servers.postgres.start()
    until("orders are taken again", lambda: ada.get("/orders").status == 200)


def test_while_the_broker_is_frozen_the_proxy_sends_orders_on(system: TwoWebs, ada: Api) -> None:
    """A check of a web's health takes longer then than the proxy's interval."""
    sku = system.product(pieces=5_000)
    with frozen(system.broker.pid), Load(system, RATE, [sku]) as load:
        load.more(10 * RATE)
    assert [answered for answered in load.answers if answered.status != 201] == []
    catch_up(system)
    guarantees.hold(system, load.orders)


def unavailable(api: Api) -> dict[str, str]:
    answer = api.get("/orders")
    found: dict[str, str] = answer.json if answer.status == 503 and answer.body.startswith(b"{") else {}
    return found if found.get("code") == "database_unavailable" else {}
