"""RabbitMQ is killed, frozen, or has no memory left: the shop does not notice, and the work catches up."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.conftest import Running
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.test_broker_gone import BEFORE, RATE, RESTARTING, check_untouched, frozen
from tests.faults.watching import all_confirmed, catch_up, relays_turns, tries
from tests.journeys.rabbitmq_server import IS_THERE, MISSING, RabbitServer, run_rabbitmq

pytestmark = [pytest.mark.chaos, pytest.mark.skipif(not IS_THERE, reason=MISSING)]

SECONDS = 20


@pytest.fixture(scope="module", params=["classic", "quorum"])
def server(request: pytest.FixtureRequest) -> Iterator[RabbitServer]:
    with run_rabbitmq(request.param) as server:
        yield server


@pytest.fixture(scope="module")
def running(server: RabbitServer) -> Iterator[Running]:
    running = Running(lambda folder: FaultySystem(folder, server))
    yield running
    running.stop()


@contextmanager
def killed(server: RabbitServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGKILL)
    server.server.stop()
    try:
        yield
    finally:
        server.server.start()


@contextmanager
def not_answering(server: RabbitServer) -> Iterator[None]:
    with frozen(server.pid):
        yield


@contextmanager
def without_memory(server: RabbitServer) -> Iterator[None]:
    server.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        yield
    finally:
        server.ctl("set_vm_memory_high_watermark", "0.4")


@pytest.mark.parametrize("fault", [killed, not_answering, without_memory])
def test_orders_are_taken_as_fast_as_ever_and_all_is_done_in_its_first_attempt(
    system: FaultySystem, server: RabbitServer, fault: Callable[[RabbitServer], AbstractContextManager[None]]
) -> None:
    sku = system.product(pieces=5_000)
    with Load(system, RATE, [sku]) as load:
        load.more(BEFORE)
        began, at = time.monotonic(), datetime.now(tz=UTC).replace(tzinfo=None)
        with fault(server):
            load.more(RATE * SECONDS, seconds=2 * SECONDS + 20)
            until("the relay gave up three times", lambda: len(relays_turns(system, at)) >= 2)
            ready = system.ready()
            ended = time.monotonic()
    catch_up(system)
    assert max(relays_turns(system, at)) <= 2  # seconds from one look of the relay to its giving up
    assert (ready.status, ready.json["broker"]) == (200, "down")
    until("it is told that it is back", lambda: system.ready().json["broker"] == "ok")
    check_untouched(load, began, ended, floor=RESTARTING)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)
    assert tries(system, sku) == {(1, 0)}
