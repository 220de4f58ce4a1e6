import base64
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError

from events.models import Delivery
from events.relaying import batching, pacing
from events.relaying import relay as module
from events.relaying.batching import LEAST
from events.relaying.claims import Claim, Claimed, claim
from events.relaying.relay import Relay
from events.relaying.sender import Sender
from events.relaying.waiting import SOON
from events.subscriptions import Consumer, the_map
from events.tests.helpers import SORT, only, published
from events.tests.parcels import parcel_packed
from events.tests.servers import REFUSING, broker_url, full, replica, unable_to_save

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def celery(broker: object) -> Celery:
    return Celery(broker=broker_url())


@pytest.fixture
def relay(celery: Celery) -> Iterator[Relay]:
    relay = Relay(Sender(celery))
    yield relay
    relay._sender.close()


def messages(broker: redis.Redis, queue: str = "sorting") -> list[dict[str, object]]:
    return [json.loads(raw) for raw in broker.lrange(queue, 0, -1)]


def carried(broker: redis.Redis, queue: str = "sorting") -> int:
    """How many deliveries the messages tell of."""
    arguments = [json.loads(base64.b64decode(str(message["body"])))[0] for message in messages(broker, queue)]
    return sum(len(delivery) if isinstance(delivery, list) else 1 for delivery, _ in arguments)


def test_it_sends_a_message_that_carries_the_id_and_the_token_only(relay: Relay, broker: redis.Redis) -> None:
    published(parcel_packed())
    assert relay.turn() == 3
    (message,) = messages(broker)
    delivery = only(handler=SORT)
    headers = message["headers"]
    assert isinstance(headers, dict)
    assert (headers["task"], headers["id"], headers["retries"]) == (SORT, str(delivery.id), 0)
    assert headers["argsrepr"] == repr([str(delivery.id), str(delivery.token)])
    assert delivery.state == "leased"


def test_the_celery_id_stays_and_the_retries_grow_with_the_attempts(relay: Relay, broker: redis.Redis) -> None:
    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(attempts=2, waits=1)
    relay.turn()
    (message,) = messages(broker)
    headers = message["headers"]
    assert isinstance(headers, dict)
    assert headers["retries"] == 3


def test_many_of_one_handler_share_a_message_which_is_a_task_of_its_own(relay: Relay, broker: redis.Redis) -> None:
    for _ in range(25):
        published(parcel_packed())
    relay.turn()
    (message,) = messages(broker)
    headers = message["headers"]
    assert isinstance(headers, dict)
    assert headers["task"] == SORT
    assert not Delivery.objects.filter(pk=headers["id"]).exists()
    assert carried(broker) == 25


def test_it_routes_by_the_delivery_and_not_by_the_map(relay: Relay, broker: redis.Redis) -> None:
    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(handler="later.handler", consumer="later", queue="later")
    relay.turn()
    assert len(messages(broker, "later")) == 1


def test_it_sends_no_more_than_the_bound_of_what_is_out(
    relay: Relay, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(monkeypatch, in_flight=8)
    for _ in range(12):
        published(parcel_packed())
    counts = []
    for _ in range(6):
        relay.turn()
        counts.append(carried(broker))
    assert counts == [2, 4, 6, 8, 8, 8]
    assert Delivery.objects.filter(queue="sorting", state="leased").count() == 8


def test_one_delivery_that_is_out_does_not_keep_the_next_waiting(relay: Relay, broker: redis.Redis) -> None:
    for _ in range(30):
        published(parcel_packed())
    assert claim("letters", 1)
    relay.turn()
    assert carried(broker, "letters") == 25  # a quarter of the bound, as it is where none is declared


def test_every_queue_has_its_share_of_newest_first(
    relay: Relay, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(monkeypatch, in_flight=1_000)
    monkeypatch.setattr(module, "claim_size", lambda queue: 1)
    events = [published(parcel_packed())[0] for _ in range(10)]
    for _ in range(4):
        relay.turn()
    for queue in ("sorting", "letters", "counting"):
        out = Delivery.objects.filter(queue=queue, state="leased").values_list("event_id", flat=True)
        assert set(out) == {*events[:3], events[-1]}


def test_it_sends_nothing_while_the_brokers_list_is_full(
    relay: Relay, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(monkeypatch, in_flight=5)
    published(parcel_packed())
    broker.rpush("sorting", *["stale"] * 5)
    relay.turn()
    assert only(handler=SORT).state == "pending"
    broker.delete("sorting")
    relay.turn()
    assert only(handler=SORT).state == "leased"


def test_behind_messages_whose_leases_ran_out_it_sends_one_at_a_time(
    relay: Relay, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "LONGEST", 0)
    monkeypatch.setattr(pacing, "BUSY", 0)
    for _ in range(10):
        published(parcel_packed())
    relay.turn()
    assert carried(broker) == 10
    Delivery.objects.filter(queue="sorting").update(state="pending", token=None, lease_until=None)
    relay.turn()
    looks: list[float] = []
    monkeypatch.setattr(relay._waiting, "look_at", looks.append)
    relay.turn()
    assert carried(broker) == 11
    assert min(looks) < time.monotonic() + SOON
    broker.delete("sorting")
    relay.turn()
    assert carried(broker) == 9
    assert Delivery.objects.filter(queue="sorting", state="leased").count() == 10


def test_a_few_wait_for_more_where_others_of_their_queue_have_just_gone(
    relay: Relay, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lingering(monkeypatch, 60)
    published(parcel_packed())
    assert relay.turn() == 3  # the first go at once
    broker.delete("sorting", "letters", "counting")  # as workers do
    published(parcel_packed())
    assert relay.turn() == 0
    lingering(monkeypatch, 0)
    assert relay.turn() == 3


def test_while_workers_are_busy_a_few_wait_for_longer_and_a_whole_claim_does_not(
    relay: Relay, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "BUSY", 60)
    published(parcel_packed())
    assert relay.turn() == 3
    for _ in range(LEAST - 1):
        published(parcel_packed())
    assert relay.turn() == 0
    broker.lpop("sorting")  # as a worker does that is idle
    assert relay.turn() == LEAST - 1
    published(parcel_packed())
    assert relay.turn() == 2 * LEAST  # of the two others


def test_where_more_is_due_than_it_sent_it_looks_again_soon(
    relay: Relay, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(monkeypatch, in_flight=8)  # claims of two
    monkeypatch.setattr(pacing, "LONGEST", 0)
    for _ in range(9):
        published(parcel_packed())
    for _ in range(5):  # the last finds no room
        looks: list[float] = []
        monkeypatch.setattr(relay._waiting, "look_at", looks.append)
        relay.turn()
        assert min(looks) < time.monotonic() + SOON
    assert carried(broker) == 8
    assert relay._next_look("sorting") >= min(looks)  # a hint changes nothing about that


def lingering(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    the = the_map()
    consumers = {name: replace(consumer, linger=seconds) for name, consumer in the.consumers.items()}
    monkeypatch.setattr(pacing, "the_map", lambda: replace(the, consumers=consumers))


def bounded(monkeypatch: pytest.MonkeyPatch, *, in_flight: int) -> None:
    the = the_map()
    consumers = {name: Consumer(dead_holds=True, in_flight=in_flight) for name in the.consumers}
    changed = replace(the, consumers=consumers)
    monkeypatch.setattr(batching, "the_map", lambda: changed)


def test_a_broker_that_refuses_costs_no_lease_and_no_attempt() -> None:
    published(parcel_packed())
    relay = Relay(Sender(Celery(broker=REFUSING)))
    with pytest.raises((BrokerError, OSError)):
        relay.turn()
    assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 0)}


@pytest.mark.parametrize("fault", [full, replica, unable_to_save])
def test_a_broker_that_takes_no_messages_costs_no_lease_and_no_attempt(
    relay: Relay, broker: redis.Redis, fault: Callable[[Any], AbstractContextManager[None]]
) -> None:
    published(parcel_packed())
    with redis.Redis.from_url(settings.BROKER_URL, decode_responses=True) as operator, fault(operator):
        with pytest.raises((BrokerError, OSError)):
            relay.turn()
        assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 0)}
    relay._sender.close()  # as it does before it tries again
    assert relay.turn() == 3
    assert carried(broker) == 1


def test_a_broker_that_goes_away_between_two_messages_costs_only_what_was_not_sent(
    relay: Relay, celery: Celery, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        published(parcel_packed())
    Delivery.objects.update(batch=1)
    whole = relay._sender.send
    sent: list[UUID] = []

    def send(claim: Claim, deliveries: Sequence[Claimed]) -> None:
        if len(sent) == 1:
            celery.conf.update(broker_write_url=REFUSING)
            relay._sender.close()
        whole(claim, deliveries)
        sent.append(uuid4())

    monkeypatch.setattr(relay._sender, "send", send)
    with pytest.raises((BrokerError, OSError)):
        relay.turn()
    assert len(sent) == 1
    assert Delivery.objects.filter(state="leased").count() == 1
    assert set(Delivery.objects.filter(state="pending").values_list("attempts", flat=True)) == {0}


def test_it_stops_when_it_is_told_to(relay: Relay, broker: object) -> None:
    published(parcel_packed())
    relay.stop()
    relay.run()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"pending"}


def stopped_at(step: int) -> bool:
    """Let a relay rest, and call its stop() at this step of what Python does meanwhile, as a signal's handler may.

    False where there are no more steps.
    """
    relay, steps = Relay(Sender(Celery(broker=REFUSING))), count()

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if event == "line" and next(steps) == step:
            relay.stop()
        return trace

    signal.setitimer(signal.ITIMER_REAL, 5)  # who waits for a lock that it holds itself would wait for ever
    sys.settrace(trace)
    try:
        relay._waiting.pause(0.001)
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return next(steps) > step


def test_a_signal_that_tells_it_to_stop_is_heard_at_any_point() -> None:
    def give_up(*_: Any) -> None:
        raise AssertionError("stop() waits for a lock that this thread holds")

    before = signal.signal(signal.SIGALRM, give_up)
    try:
        assert next(step for step in count() if not stopped_at(step)) > 2
    finally:
        signal.signal(signal.SIGALRM, before)


def test_its_pauses_double_up_to_the_longest_and_start_again() -> None:
    pause = module.Pause()
    assert [pause.next() for _ in range(7)] == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    pause.reset()
    assert pause.next() == 0.25
