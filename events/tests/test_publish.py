import threading
from uuid import uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection, transaction

from events.correlation import correlated
from events.errors import PermanentError
from events.models import Delivery, Event, SubjectCounter
from events.publishing import NoTransaction, publish
from events.tests.helpers import SORT, break_down, handler, make_due, nothing, only, published, run, stumble
from events.tests.parcels import ParcelSortedV1, parcel_lost, parcel_packed
from events.tests.servers import a_transaction, lock, meanwhile, waiting_for_locks
from events.tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_refuses_to_run_outside_a_transaction() -> None:
    with pytest.raises(NoTransaction, match=r"transaction\.atomic"):
        publish(parcel_packed())
    assert not Event.objects.exists()


def test_an_event_gets_one_delivery_for_each_of_its_handlers() -> None:
    (event_id,) = published(parcel_packed())
    deliveries = Delivery.objects.filter(event_id=event_id)
    assert {d.handler: (d.consumer, d.queue, d.state, d.dead_holds) for d in deliveries} == {
        "sorting.sort_parcel": ("sorting", "sorting", "pending", True),
        "letters.announce": ("letters", "letters", "pending", False),
        "counting.count": ("counting", "counting", "pending", False),
    }


def test_a_rollback_leaves_neither_event_nor_delivery_nor_number() -> None:
    with transaction.atomic():
        publish(parcel_packed())
        transaction.set_rollback(True)
    assert [model.objects.count() for model in (Event, Delivery, SubjectCounter)] == [0, 0, 0]


def test_events_of_a_subject_are_numbered_in_the_order_in_which_they_are_given() -> None:
    parcel_id, other = uuid4(), uuid4()
    published(parcel_packed(parcel_id), parcel_packed(other), ParcelSortedV1(parcel_id=parcel_id))
    published(parcel_lost(parcel_id))
    told = Event.objects.filter(subject=parcel_id).order_by("sequence").values_list("sequence", "type")
    assert list(told) == [(1, "parcel.packed.v1"), (2, "parcel.sorted.v1"), (3, "parcel.lost.v1")]
    assert Event.objects.get(subject=other).sequence == 1


def test_an_event_carries_its_data_and_the_request_that_it_follows_from() -> None:
    data = parcel_packed()
    with correlated("request-7"):
        (event_id,) = published(data)
    event = Event.objects.get(pk=event_id)
    assert event.correlation_id == "request-7"
    assert event.data["things"] == [{"name": "A cup", "count": 1, "weight": "2.00"}]
    assert type(data).model_validate(event.data) == data


def test_of_two_transactions_for_one_subject_the_later_number_commits_later() -> None:
    parcel_id = uuid4()
    first_is_in, second_is_done = threading.Event(), threading.Event()

    def second() -> None:
        first_is_in.wait(10)
        published(parcel_lost(parcel_id))
        second_is_done.set()
        connection.close()

    thread = threading.Thread(target=second)
    thread.start()
    with transaction.atomic():
        publish(parcel_packed(parcel_id))
        first_is_in.set()
        until("the second waits for the first's counter", lambda: waiting_for_locks() == 1)
        assert not second_is_done.is_set()
    thread.join(10)
    told = Event.objects.filter(subject=parcel_id).order_by("sequence").values_list("type", flat=True)
    assert list(told) == ["parcel.packed.v1", "parcel.lost.v1"]


def test_counters_are_taken_in_one_order_so_that_two_who_publish_for_many_subjects_never_deadlock() -> None:
    parcels = sorted(uuid4() for _ in range(20))
    published(*map(parcel_packed, parcels))
    with a_transaction() as other:
        lock(other, "events_subjectcounter", parcels[0], key="subject")
        with meanwhile(lambda: published(*map(parcel_lost, reversed(parcels)))):
            until("it waits for the first counter", waiting_for_locks)
            lock(other, "events_subjectcounter", *parcels[1:], key="subject")
            other.rollback()
    assert Event.objects.filter(type="parcel.lost.v1").count() == 20


def test_what_is_published_behind_a_dead_letter_is_parked_at_once() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id))
    with pytest.raises(PermanentError):
        run(handler(break_down))
    published(parcel_lost(parcel_id))
    assert only(handler="sorting.take_out").due_at is None
    assert only(handler="counting.count", event_type="parcel.lost.v1").due_at is not None


def test_what_is_published_behind_one_that_backs_off_is_parked_until_that_is_due_again() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id))
    with pytest.raises(Retry):
        run(handler(stumble))
    (first,) = published(parcel_lost(parcel_id))
    assert only(handler="sorting.take_out", event_id=first).due_at is None
    Delivery.objects.filter(event_id=first).delete()
    make_due(handler=SORT)
    (second,) = published(parcel_lost(parcel_id))
    assert only(handler="sorting.take_out", event_id=second).due_at is not None


def test_what_is_published_behind_a_done_delivery_is_due_at_once() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id))
    run(handler(nothing))
    published(parcel_lost(parcel_id))
    assert only(handler="sorting.take_out").due_at is not None
