import threading
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection

from events.errors import PermanentError
from events.handlers import Shape
from events.handling import deliveries
from events.models import Delivery
from events.policy import Limits
from events.relaying import sweeps
from events.tests.helpers import ANNOUNCE, be_away, handler, only, published, run, stumble
from events.tests.parcels import parcel_packed
from events.tests.waiting import until
from events.types import UnknownType

pytestmark = pytest.mark.django_db(transaction=True)


def outside(function: Any, **policy: Any) -> Any:
    return handler(function, name=ANNOUNCE, shape=Shape.OUTSIDE, **policy)


def lease_until() -> datetime:
    found = only(handler=ANNOUNCE).lease_until
    assert found is not None
    return found


def test_it_acts_with_no_transaction_open_and_is_done_afterwards() -> None:
    published(parcel_packed())
    seen: list[bool] = []
    assert run(outside(lambda event: seen.append(connection.in_atomic_block))).startswith("done")
    assert seen == [False]
    assert only(handler=ANNOUNCE).state == "done"


def test_its_lease_is_renewed_while_it_works() -> None:
    published(parcel_packed())

    def work(event: Any) -> None:
        before = lease_until()
        until("the lease is renewed", lambda: lease_until() > before)

    assert run(outside(work, limits=Limits(1))).startswith("done")


def test_no_thread_is_left_behind() -> None:
    published(parcel_packed())
    run(outside(lambda event: None))
    assert "lease-keeper" not in [thread.name for thread in threading.enumerate()]


def test_a_worker_that_lost_the_delivery_does_not_finish_it() -> None:
    published(parcel_packed())

    def lose_it(event: Any) -> None:
        Delivery.objects.filter(handler=ANNOUNCE).update(token=uuid4())

    assert run(outside(lose_it)).startswith("superseded")
    assert only(handler=ANNOUNCE).state == "running"


@pytest.mark.parametrize("error", [ValueError("too late"), PermanentError("too late"), UnknownType("too late")])
def test_a_worker_that_lost_the_delivery_keeps_its_error_to_itself(error: Exception) -> None:
    published(parcel_packed())

    def lose_it(event: Any) -> None:
        Delivery.objects.filter(handler=ANNOUNCE).update(token=uuid4())
        raise error

    assert run(outside(lose_it)).startswith("superseded")
    assert (only(handler=ANNOUNCE).state, only(handler=ANNOUNCE).error_type) == ("running", "")


def test_a_handler_that_hangs_and_that_nobody_ends_is_given_up_with_its_time() -> None:
    published(parcel_packed())

    def hang(event: Any) -> None:
        until("its lease runs out", sweeps.expire_leases)

    assert run(outside(hang, limits=Limits(1))).startswith("superseded")
    assert (only(handler=ANNOUNCE).state, only(handler=ANNOUNCE).attempts) == ("pending", 1)


def test_an_error_makes_it_due_again() -> None:
    published(parcel_packed())

    with pytest.raises(Retry):
        run(outside(stumble))
    assert (only(handler=ANNOUNCE).state, only(handler=ANNOUNCE).attempts) == ("pending", 1)


def test_an_outcome_that_cannot_be_written_down_in_time_is_left_to_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no failure of the handler, whose work is done: no attempt more is counted, and no other outcome tried."""
    published(parcel_packed())
    monkeypatch.setattr(deliveries, "finish", be_away)
    with pytest.raises(Retry, match="the outcome could not be written"):
        run(outside(lambda event: None, limits=Limits(1)))
    delivery = only(handler=ANNOUNCE)
    assert (delivery.state, delivery.attempts, delivery.error_type) == ("running", 1, "")


def test_a_handler_of_many_that_does_not_yield_its_event_is_told_so() -> None:
    published(parcel_packed())

    def forget(events: Any) -> Any:
        yield from ()

    with pytest.raises(Retry):
        run(handler(forget, name=ANNOUNCE, shape=Shape.OUTSIDE, many=True))
    delivery = only(handler=ANNOUNCE)
    assert (delivery.state, delivery.attempts) == ("pending", 1)
    assert "without yielding the event" in delivery.error_message
