"""What Flower is told of tasks leaves together."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from kombu.asynchronous import Hub

from events.handling import task_events
from events.handling.task_events import TaskEventsTogether
from events.tests.servers import broker_url

EVENTS = ["task-received", "task-started", "task-succeeded"]


class Consumer:
    """What the step is given of Celery's consumer: its loop, and who sends its events."""

    def __init__(self, connection: Any, app: Celery) -> None:
        self.hub = Hub()
        self.event_dispatcher = app.events.Dispatcher(connection, buffer_group=["task"])


@pytest.fixture
def consumer(broker: redis.Redis) -> Iterator[Consumer]:
    app = Celery(broker=broker_url())
    with app.connection_for_write() as connection:
        consumer = Consumer(connection, app)
        yield consumer
        consumer.hub.close()


@pytest.fixture
def heard(broker: redis.Redis) -> Iterator[redis.client.PubSub]:
    with broker.pubsub() as heard:  # type: ignore[no-untyped-call]
        heard.psubscribe("*celeryev*")
        heard.get_message(timeout=5)  # that it listens
        yield heard


def told(heard: redis.client.PubSub) -> list[list[str]]:
    """The types of the events in each message that has come."""
    found = []
    while message := heard.get_message(ignore_subscribe_messages=True, timeout=0.1):
        events = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
        found.append([event["type"] for event in (events if isinstance(events, list) else [events])])
    return found


def test_what_comes_within_a_moment_is_told_in_one_message(
    consumer: Consumer, heard: redis.client.PubSub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_events, "TOGETHER", 0)
    TaskEventsTogether(consumer).start(consumer)
    for _ in range(2):  # and once more: it waits for a moment each time
        for event in EVENTS:
            consumer.event_dispatcher.send(event, uuid="1")
        assert told(heard) == []
        consumer.hub.fire_timers()
        assert told(heard) == [EVENTS]


@pytest.mark.parametrize("end", ["stop", "shutdown"])
def test_what_waits_is_told_when_the_worker_stops(consumer: Consumer, heard: redis.client.PubSub, end: str) -> None:
    step = TaskEventsTogether(consumer)
    step.start(consumer)
    consumer.event_dispatcher.send(EVENTS[0], uuid="1")
    getattr(step, end)(consumer)
    assert told(heard) == [EVENTS[:1]]
