"""The broker is stopped, restarted, wiped or frozen: the shop does not notice, and the work catches up."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from events.tests.servers import full, replica, unable_to_save
from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.watching import all_confirmed, catch_up, no_process_ends, relays_turns, tries
from tests.journeys.client import Api

RATE = 4  # orders a second
BEFORE = 40  # orders whose times are compared with those of the outage
# How long an answer may take in an outage. A request that waited for the broker would wait for seconds.
SLACK, FLOOR = 2, 0.3  # times the p99 of before; or, on a busy machine, seconds more than it
# The same while all workers start again at once: their imports take both cores for some seconds, and the slowest of 40
# requests has waited for half a second meanwhile.
RESTARTING = 1.0
RECEIVED = "notifications.send_order_received"
QUEUES = ["inventory", "orders", "notifications", "analytics"]
LENGTHS = [pytest.param(5, id="5s"), pytest.param(60, id="60s", marks=pytest.mark.chaos)]


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    """Freeze a process until the block ends."""
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def check_untouched(load: Load, since: float, end: float, *, floor: float = FLOOR) -> None:
    """Every request from then on was answered 201, as fast as those before."""
    assert {answered.status for answered in load.answers} == {201}
    before, during = load.percentile(0.99, end=since), load.percentile(0.99, since, end)
    assert during <= max(SLACK * before, before + floor), f"p99 {during:.3f} s, before {before:.3f} s"


@pytest.mark.parametrize("seconds", LENGTHS)
def test_the_shop_takes_orders_as_fast_as_ever_while_the_broker_is_stopped(system: FaultySystem, seconds: int) -> None:
    sku = system.product(pieces=5_000)
    with no_process_ends(system):
        with Load(system, RATE, [sku]) as load:
            load.more(BEFORE)
            stopped = time.monotonic()
            system.broker.stop()
            try:
                load.more(RATE * seconds, seconds=2 * seconds + 20)
                started = time.monotonic()
            finally:
                system.broker.start()
        catch_up(system)
    check_untouched(load, stopped, started)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)
    assert tries(system, sku) == {(1, 0)}


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_workers_are_back_within_ten_seconds_of_a_broker_restarted_under_their_tasks(
    system: FaultySystem, ada: Api, how: str
) -> None:
    sku = system.product()
    system.mailbox.hangs = True
    try:
        order = ada.order(sku)
        until("a mail is being sent", lambda: system.delivery(order, RECEIVED)[1] == "running")
        if how == "killed":
            system.broker.kill()
        else:
            system.broker.stop()
        system.broker.start()
        back = time.monotonic()
        second = ada.order(sku)
        until("the order is confirmed", lambda: ada.status(second) == "confirmed", seconds=10)
    finally:
        system.mailbox.hangs = False
    left = 10 - (time.monotonic() - back)
    until("all is done", lambda: {row[1] for row in system.of_order(second)} == {"done"}, seconds=left)
    guarantees.hold(system, [order, second])
    assert tries(system, sku) == {(1, 0)}
    assert len(system.mailbox.about(order["number"])) == 2


@pytest.mark.parametrize("count", [40, pytest.param(1_000, marks=pytest.mark.chaos)])
def test_what_a_wiped_broker_held_is_sent_again_and_no_attempt_counted(system: FaultySystem, count: int) -> None:
    sku = system.product(pieces=5_000)
    workers = [system.supervisor.processes[f"worker-{queue}"] for queue in QUEUES]
    broker = redis.Redis.from_url(system.environment["BROKER_URL"])

    def each_list_holds_messages() -> bool:
        return all(broker.llen(queue) for queue in QUEUES)

    try:
        system.supervisor.processes["worker-orders"].stop(5)
        with Load(system, 20, [sku]) as first:
            first.more(count // 2, seconds=count)
        until("there is something to confirm", lambda: broker.llen("orders"))
        for worker in workers:
            worker.stop(5)
        with Load(system, 20, [sku]) as second:
            second.more(count // 2, seconds=count)
        until("each list holds messages", each_list_holds_messages)
        broker.flushall()
    finally:
        for worker in workers:
            worker.start()
    catch_up(system)
    guarantees.hold(system, [*first.orders, *second.orders])
    assert len(first.orders + second.orders) >= count
    assert tries(system, sku) == {(1, 0)}


@pytest.mark.chaos
@pytest.mark.parametrize("seconds", [5, 60], ids=["5s", "60s"])
def test_a_frozen_broker_holds_up_each_publish_for_two_seconds_at_most(system: FaultySystem, seconds: int) -> None:
    sku = system.product(pieces=5_000)
    with no_process_ends(system):
        with Load(system, RATE, [sku]) as load:
            load.more(BEFORE)
            stopped, at = time.monotonic(), datetime.now(tz=UTC).replace(tzinfo=None)
            with frozen(system.broker.pid):
                load.more(RATE * seconds, seconds=2 * seconds + 20)
                until("the relay gave up three times", lambda: len(relays_turns(system, at)) >= 2)
                ready = system.ready()
                started = time.monotonic()
        catch_up(system)
    assert (ready.status, ready.json["broker"]) == (200, "down")
    assert max(relays_turns(system, at)) <= 2
    check_untouched(load, stopped, started)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)
    assert tries(system, sku) == {(1, 0)}


@pytest.mark.chaos
@pytest.mark.parametrize("fault", [full, replica, unable_to_save])
def test_a_broker_that_takes_no_messages_is_told_and_loses_nothing(
    system: FaultySystem, fault: Callable[[Any], AbstractContextManager[None]]
) -> None:
    """Workers may end of it, and are started again."""
    sku = system.product(pieces=5_000)
    with Load(system, RATE, [sku]) as load:
        load.more(BEFORE)
        began = time.monotonic()
        url = system.environment["BROKER_URL"]
        with redis.Redis.from_url(url, decode_responses=True) as operator, fault(operator):
            load.more(RATE * 10)
            ready = system.ready()
            ended = time.monotonic()
    catch_up(system)
    assert (ready.status, ready.json["broker"]) == (200, "down")
    assert system.ready().json["broker"] == "ok"
    check_untouched(load, began, ended, floor=RESTARTING)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)
    assert {attempts for attempts, _ in tries(system, sku)} == {1}
