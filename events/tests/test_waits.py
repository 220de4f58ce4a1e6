"""How long a delivery has been waiting for something that is away: a spell, which ends with what it waited for."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection

from events.error_text import describe
from events.errors import DependencyAway
from events.handling import failures, runner
from events.models import Delivery, Reason
from events.relaying import claims
from events.tests.helpers import ANNOUNCE, SORT, claimed, handler, make_due, nothing, only, published, run, start_one
from events.tests.parcels import parcel_lost, parcel_packed
from events.tests.servers import a_transaction, meanwhile, waiting_for_locks
from events.tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


def try_once(error: Exception | None = None) -> tuple[str, datetime | None]:
    """Run the delivery now; return what it waits for, and since when."""

    def act(event: Any) -> None:
        if error:
            raise error

    make_due(handler=SORT)
    if error:
        with pytest.raises(Retry):
            run(handler(act))
    else:
        run(handler(act))
    delivery = only(handler=SORT)
    return delivery.waiting_for, delivery.waiting_since


def set_aside(*message: Any, delay: float = 60) -> str | None:
    error = describe(ValueError())
    return failures.set_aside(*message, reason=Reason.NO_SUCH_HANDLER, error=error, grace=60, delay=delay)


def now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def test_a_spell_goes_on_over_its_tries_and_ends_with_an_error_of_another_kind() -> None:
    published(parcel_packed())
    waiting_for, began = try_once(DependencyAway("down"))
    assert (waiting_for, began is not None) == ("dependency", True)
    assert try_once(DependencyAway("still down")) == ("dependency", began)
    assert try_once(ValueError("another matter")) == ("", None)
    waiting_for, again = try_once(DependencyAway("down again"))
    assert waiting_for == "dependency"
    assert began is not None
    assert again is not None
    assert again > began


def test_a_spell_ends_with_success() -> None:
    published(parcel_packed())
    try_once(DependencyAway("down"))
    assert try_once() == ("", None)


def test_a_spell_of_waiting_for_code_goes_on_when_it_is_set_aside_again() -> None:
    published(parcel_packed())
    set_aside(*claimed())
    began = only(handler=SORT).waiting_since
    make_due(handler=SORT)
    assert set_aside(*claimed()) == "pending"  # the grace is a minute
    assert began is not None
    assert only(handler=SORT).waiting_since == began


def test_a_spell_of_another_kind_begins_anew() -> None:
    published(parcel_packed())
    set_aside(*claimed())
    began = only(handler=SORT).waiting_since
    waiting_for, again = try_once(DependencyAway("down"))
    assert waiting_for == "dependency"
    assert began is not None
    assert again is not None
    assert again > began


def test_what_waits_for_code_parks_what_it_holds_and_lets_it_go_on_once_it_is_dead() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id), parcel_lost(parcel_id))
    published(parcel_packed(other := uuid4()))
    assert set_aside(*claimed("letters")) == "pending"
    assert only(handler="letters.apologise").due_at is None
    untouched = only(handler=ANNOUNCE, subject=other)
    assert (untouched.state, untouched.waiting_for, untouched.due_at is None) == ("pending", "", False)
    Delivery.objects.filter(subject=parcel_id, waiting_for="code").update(waiting_since="2020-01-01T00:00:00Z")
    make_due(handler=ANNOUNCE, subject=parcel_id)
    assert set_aside(*claimed("letters")) == "dead"
    assert only(handler="letters.apologise").due_at is not None


def test_a_spell_of_waiting_for_code_ends_with_success_in_a_batch() -> None:
    published(parcel_packed())
    set_aside(*claimed())
    assert only(handler=SORT).waiting_for == "code"
    make_due(handler=SORT)
    claim = claims.claim("sorting", 1)
    assert claim is not None
    batching = handler(nothing, SORT, many=True)
    sent = {delivery.id: delivery.token for delivery in claim.deliveries}
    assert runner.run(batching, sent, worker="test") == "done at attempt 1"
    delivery = only(handler=SORT)
    assert (delivery.waiting_for, delivery.waiting_since) == ("", None)


def test_what_is_given_back_is_due_after_its_delay() -> None:
    published(parcel_packed())
    started = start_one(*claimed(), worker="test", lease=30)
    assert started is not None
    before = now()
    assert failures.retry(started, delay=60, counted=True, error=describe(ValueError()))
    due_at = only(handler=SORT).due_at
    assert due_at is not None
    assert 60 <= (due_at - before).total_seconds() < 65


def test_a_copy_of_a_message_sets_nothing_aside_that_is_being_started() -> None:
    published(parcel_packed())
    message = claimed()
    with a_transaction() as other:
        other.execute(
            "UPDATE events_delivery SET state = 'running', token = gen_random_uuid() WHERE id = %s", message[:1]
        )
        with meanwhile(lambda: set_aside(*message)) as copy:
            until("it waits for the start", waiting_for_locks)
            other.commit()
    assert copy.result() is None
    assert only(handler=SORT).state == "running"
