"""A worker whose broker does not answer for a while goes on taking messages afterwards."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from kombu import Connection, Queue

from events.handling.message_guard import guard_qos
from events.tests.waiting import until

PATIENCE = 0.2  # seconds until the client gives up
FROZEN = 1_000  # milliseconds for which the server answers nobody


@pytest.fixture
def taking() -> Iterator[tuple[Any, Queue]]:
    """A channel that may hold one message, as a worker's with one process, and a queue with two."""
    with Connection(settings.BROKER_URL, transport_options={"socket_timeout": PATIENCE}) as connection:
        channel: Any = connection.channel()
        guard_qos(channel.qos)
        channel.basic_qos(0, 1, False)
        queue = Queue(f"test-{uuid4().hex}", channel=channel)
        queue.declare()
        producer = connection.Producer(channel)
        for number in (1, 2):
            producer.publish({"number": number}, routing_key=queue.name, exchange="", declare=[queue])
        yield channel, queue
        queue.delete()


@pytest.mark.parametrize("settle", ["ack", "reject"])
def test_a_message_that_could_not_be_acknowledged_is_not_held_for_ever(taking: tuple[Any, Queue], settle: str) -> None:
    channel, queue = taking
    message = queue.get()
    assert not channel.qos.can_consume()
    with redis.Redis.from_url(settings.BROKER_URL) as server:
        server.execute_command("CLIENT", "PAUSE", FROZEN, "ALL")
    with pytest.raises(redis.RedisError):
        getattr(message, settle)()
    assert channel.qos.can_consume()
    until("the server answers again", _answers)


def _answers() -> bool:
    try:
        with redis.Redis.from_url(settings.BROKER_URL, socket_timeout=PATIENCE, retry=None) as server:
            return bool(server.ping())
    except redis.RedisError:
        return False
