from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from events.handling.message_guard import set_aside_unknown
from events.models import Delivery
from events.tests.helpers import SORT, claimed, only, published
from events.tests.parcels import parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)


class Message:
    """A message as kombu hands it to the worker."""

    def __init__(self, *args: Any, body: Any = None) -> None:
        self.headers = {"task": SORT}
        self._body = [list(args), {}, {}] if body is None else body

    def decode(self) -> Any:
        return self._body


def test_a_delivery_whose_handler_is_not_here_waits_uncounted() -> None:
    published(parcel_packed())
    delivery_id, token = claimed()
    set_aside_unknown(Message(str(delivery_id), str(token)))
    delivery = only(pk=delivery_id)
    assert (delivery.state, delivery.attempts, delivery.waiting_for) == ("pending", 0, "code")
    assert SORT in delivery.error_message


def test_it_is_looked_at_again_after_uneven_times() -> None:
    seconds = []
    for _ in range(4):
        published(parcel_packed())
        delivery_id, token = claimed()
        set_aside_unknown(Message(str(delivery_id), str(token)))
        delivery = only(pk=delivery_id)
        assert delivery.due_at
        assert delivery.waiting_since
        seconds.append(round((delivery.due_at - delivery.waiting_since).total_seconds(), 1))
    retry = settings.EVENTS["UNKNOWN_RETRY"]
    assert all(0.5 * retry <= waited <= 1.5 * retry for waited in seconds)
    assert len(set(seconds)) > 1


def test_a_stale_message_of_a_delivery_is_nothing() -> None:
    published(parcel_packed())
    delivery_id, _ = claimed()
    assert set_aside_unknown(Message(str(delivery_id), str(uuid4()))) is True
    assert only(pk=delivery_id).state == "leased"


def test_after_its_grace_it_is_dead() -> None:
    published(parcel_packed())
    delivery_id, token = claimed()
    Delivery.objects.filter(pk=delivery_id).update(waiting_since="2020-01-01T00:00:00Z", waiting_for="code")
    set_aside_unknown(Message(str(delivery_id), str(token)))
    assert (only(pk=delivery_id).state, only(pk=delivery_id).reason) == ("dead", "no_such_handler")


@pytest.mark.parametrize(
    "message",
    [
        Message(5, 3),
        Message(),
        Message("not", "ids"),
        Message(body={}),
        Message(body=[]),
        Message(body=None),
        Message(str(uuid4()), str(uuid4())),
    ],
)
def test_a_strangers_message_never_ends_the_worker(message: Message) -> None:
    published(parcel_packed())
    delivery_id, _ = claimed()
    assert set_aside_unknown(message) is False
    assert only(pk=delivery_id).state == "leased"
