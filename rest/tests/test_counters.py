"""Counters on the server, and without it."""

import socket
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from events.broker import connect
from events.tests.waiting import until
from rest.limits import counters
from rest.limits.counters import LocalCounters, SharedCounters, Slot
from rest.tests.limiting import PATIENCE


def slots(count: int = 1) -> list[Slot]:
    return [Slot(f"ratelimit:test:{uuid4()}", 60) for _ in range(count)]


def shared() -> SharedCounters:
    return SharedCounters(lambda _: connect(PATIENCE))


@pytest.fixture
def frozen() -> Iterator[SharedCounters]:
    """Counters on a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        yield SharedCounters(lambda timeout: redis.Redis(port=port, socket_timeout=timeout, retry=None))  # type: ignore[arg-type]


def test_processes_count_together() -> None:
    one, other, two = shared(), shared(), slots(2)
    assert one.add(two) == [1, 1]
    assert other.add(two) == [2, 2]
    assert other.add(two[:1]) == [3]
    assert one.read(two) == [3, 2]
    assert not one.away


def test_what_is_on_the_server_has_our_prefix_and_ends_with_its_window() -> None:
    (slot,) = slots()
    shared().add([slot])
    with redis.Redis.from_url(settings.BROKER_URL) as server:
        assert 55 < server.ttl(slot.key) <= 62
    assert slot.key.startswith(counters.PREFIX)


def test_a_server_that_refuses_is_no_error_and_the_process_counts_for_itself() -> None:
    counting = SharedCounters(lambda timeout: redis.Redis(port=1, socket_connect_timeout=timeout, retry=None))  # type: ignore[arg-type]
    (slot,) = slots()
    assert [counting.add([slot]) for _ in range(3)] == [[1], [2], [3]]
    assert counting.read([slot]) == [3]
    assert counting.away


def test_a_frozen_server_costs_one_request_its_time_out_and_no_other_anything(frozen: SharedCounters) -> None:
    (slot,) = slots()
    times = []
    for number in range(1, 101):
        started = time.perf_counter()
        assert frozen.add([slot]) == [number]
        times.append(time.perf_counter() - started)
    assert times[0] >= counters.TIMEOUT
    assert sum(times[1:]) < 99 * counters.TIMEOUT / 2  # far less, but the machine may be busy


def test_the_server_is_asked_again_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "PAUSE", 0.01)
    client = connect(PATIENCE)
    where = client.connection_pool.connection_kwargs
    port, where["port"] = where["port"], 1
    counting, (slot,) = SharedCounters(lambda _: client), slots()
    assert counting.add([slot]) == [1]
    assert counting.away
    client.connection_pool.reset()
    where["port"] = port
    until("it counts on the server", lambda: not counting.away)
    assert counting.add([slot]) == [1]
    assert shared().read([slot]) == [1]


def test_a_user_who_may_not_count_is_as_a_server_that_is_away() -> None:
    with redis.Redis.from_url(settings.BROKER_URL) as server:
        server.acl_setuser("looker", enabled=True, nopass=True, commands=["+@all", "-incrby"], keys=["*"])
        try:
            port = connect(PATIENCE).connection_pool.connection_kwargs["port"]
            counting = SharedCounters(lambda _: redis.Redis(port=port, username="looker", password="x"))
            assert [counting.add(slots()) for _ in range(2)] == [[1], [1]]
            assert counting.away
        finally:
            server.acl_deluser("looker")


def test_memory_is_bounded_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MOST", 100)
    counting, (own,) = LocalCounters(), slots()
    for _ in range(1_000):
        counting.add(slots())
    assert len(counting._counts) <= 100
    past = [Slot(f"past{number}", -1) for number in range(90)]
    counting = LocalCounters()
    counting.add([own])
    counting.add(past)
    counting.add(slots(20))
    assert counting.read([own]) == [1]
    assert counting.read(past[:1]) == [0]
