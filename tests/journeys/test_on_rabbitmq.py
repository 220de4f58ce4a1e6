"""The journeys that lean on the broker, on RabbitMQ."""

import pickle
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from events.tests.waiting import until
from local.processes import ONE_A_QUEUE
from tests.journeys.client import Api, confirmed
from tests.journeys.conftest import run_system
from tests.journeys.rabbitmq_server import IS_THERE, MISSING, RabbitServer, run_rabbitmq
from tests.journeys.system import System

# With the fixtures below, these run on RabbitMQ.
from tests.journeys.test_an_orders_life import test_an_order_is_confirmed_and_its_mails_arrive
from tests.journeys.test_bad_days import (
    test_bad_data_make_a_dead_letter_that_flower_shows_failed_until_it_is_replayed,
    test_beat_has_the_stock_checked,
    test_each_process_passes_its_health_check,
    test_status_finds_everything_up,
    test_without_a_broker_orders_are_taken_and_the_work_catches_up,
)

__all__ = [
    "test_an_order_is_confirmed_and_its_mails_arrive",
    "test_bad_data_make_a_dead_letter_that_flower_shows_failed_until_it_is_replayed",
    "test_beat_has_the_stock_checked",
    "test_each_process_passes_its_health_check",
    "test_status_finds_everything_up",
    "test_without_a_broker_orders_are_taken_and_the_work_catches_up",
]

pytestmark = pytest.mark.skipif(not IS_THERE, reason=MISSING)

SKU = "TEA-ASSAM-100"
UNREADABLE, NO_MESSAGE = "unreadable_body", "not_a_message"
NOT_JSON: tuple[Any, dict[str, Any]] = (b"{not json", {"content_type": "application/json", "content_encoding": "utf-8"})
PICKLED: tuple[Any, dict[str, Any]] = (
    pickle.dumps([(), {}, {}]),
    {"content_type": "application/x-python-serialize", "content_encoding": "binary"},
)
HALF_A_CHARACTER: tuple[Any, dict[str, Any]] = (
    rb"\ud800",
    {"content_type": "text/plain", "content_encoding": "unicode_escape"},
)
NO_TASK: tuple[Any, dict[str, Any]] = ([[], {}, {}], {"serializer": "json"})


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitServer]:
    with run_rabbitmq() as server:
        yield server


@pytest.fixture(scope="module")
def running(server: RabbitServer) -> Iterator[System]:
    with run_system(server) as system:
        yield system


def test_all_workers_and_beat_answer(system: System) -> None:
    def pongs() -> int:
        return system.run("-m", "celery", "-A", "ordersite", "inspect", "ping").count("pong")

    until("all answer", lambda: pongs() == len(ONE_A_QUEUE) + 1)  # and beat; within a second, or they are not counted


@pytest.mark.parametrize(
    ("garbage", "expected"),
    [(NOT_JSON, UNREADABLE), (PICKLED, UNREADABLE), (HALF_A_CHARACTER, UNREADABLE), (NO_TASK, NO_MESSAGE)],
)
def test_garbage_is_kept_as_it_came_and_the_worker_goes_on(
    system: System, ada: Api, garbage: tuple[Any, dict[str, Any]], expected: str
) -> None:
    body, properties = garbage
    mark = str(uuid4())
    worker = system.supervisor.pid("worker-inventory")
    with system.celery() as celery, celery.connection_for_write() as connection:
        producer: Any = connection.Producer()
        producer.publish(body, exchange="inventory", routing_key="inventory", headers={"mark": mark}, **properties)
    kept = "SELECT queue, problem FROM events_unusablemessage WHERE raw LIKE %s"
    assert until("it is kept", lambda: system.sql(kept, f"%{mark}%")) == [("inventory", expected)]
    confirmed(ada, ada.order(SKU))
    assert system.supervisor.pid("worker-inventory") == worker


def test_a_task_that_nobody_knows_is_kept(system: System, ada: Api) -> None:
    task_id = str(uuid4())
    with system.celery() as celery:
        celery.send_task("nobody.knows_it", ["a word"], task_id=task_id, queue="inventory")
    kept = "SELECT problem FROM events_unusablemessage WHERE raw LIKE %s"
    assert until("it is kept", lambda: system.sql(kept, f"%{task_id}%")) == [("unknown_task",)]
    confirmed(ada, ada.order(SKU))


def test_without_memory_it_takes_no_messages_and_that_is_told(system: System, server: RabbitServer, ada: Api) -> None:
    server.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        until("it is told", lambda: system.ready().json["broker"] == "down")
        order = ada.order(SKU)
    finally:
        server.ctl("set_vm_memory_high_watermark", "0.4")
    confirmed(ada, order, seconds=60)
    until("it is told", lambda: system.ready().json["broker"] == "ok")
