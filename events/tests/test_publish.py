import threading
from uuid import uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection, transaction

from events.correlation import correlated
from events.errors import PermanentError
from events.models import Delivery, Event, SubjectCounter
from events.publishing import NoTransaction, publish
from events.tests import helpers
from events.tests.helpers import handler, nothing, order_cancelled, order_created, published, run
from events.tests.transactions import a_transaction, lock, meanwhile
from events.tests.waiting import until
from eventtypes.stock import StockReservedV1
from eventtypes.users import UserCreatedV1

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_refuses_to_run_outside_a_transaction() -> None:
    with pytest.raises(NoTransaction, match=r"transaction\.atomic"):
        publish(UserCreatedV1(user_id=uuid4()))
    assert not Event.objects.exists()


def test_an_event_gets_one_delivery_for_each_of_its_handlers() -> None:
    (event_id,) = published(order_created())
    deliveries = Delivery.objects.filter(event_id=event_id)
    assert {d.handler: (d.consumer, d.queue, d.state, d.dead_holds) for d in deliveries} == {
        "inventory.reserve_items": ("inventory", "inventory", "pending", True),
        "notifications.send_order_received": ("notifications", "notifications", "pending", False),
        "analytics.track_order": ("analytics", "analytics", "pending", False),
    }


def test_a_rollback_leaves_neither_event_nor_delivery_nor_number() -> None:
    with transaction.atomic():
        publish(order_created())
        transaction.set_rollback(True)
    assert [model.objects.count() for model in (Event, Delivery, SubjectCounter)] == [0, 0, 0]


def test_events_of_a_subject_are_numbered_in_the_order_in_which_they_are_given() -> None:
    order_id, other = uuid4(), uuid4()
    published(order_created(order_id), order_created(other), StockReservedV1(order_id=order_id))
    published(order_cancelled(order_id))
    told = Event.objects.filter(subject=order_id).order_by("sequence").values_list("sequence", "type")
    assert list(told) == [(1, "order.created.v1"), (2, "stock.reserved.v1"), (3, "order.cancelled.v1")]
    assert Event.objects.get(subject=other).sequence == 1


def test_an_event_carries_its_data_and_the_request_that_it_follows_from() -> None:
    data = order_created()
    with correlated("request-7"):
        (event_id,) = published(data)
    event = Event.objects.get(pk=event_id)
    assert event.correlation_id == "request-7"
    assert event.data["items"] == [
        {"sku": "A", "name": "An A", "quantity": 1, "unit_price": "2.00", "line_total": "2.00"}
    ]
    assert type(data).model_validate(event.data) == data


def test_of_two_transactions_for_one_subject_the_later_number_commits_later() -> None:
    order_id = uuid4()
    first_is_in, second_is_done = threading.Event(), threading.Event()

    def second() -> None:
        first_is_in.wait(10)
        published(order_cancelled(order_id))
        second_is_done.set()
        connection.close()

    thread = threading.Thread(target=second)
    thread.start()
    with transaction.atomic():
        publish(order_created(order_id))
        first_is_in.set()
        until("the second waits for the first's counter", lambda: helpers.waiting_for_locks() == 1)
        assert not second_is_done.is_set()
    thread.join(10)
    told = Event.objects.filter(subject=order_id).order_by("sequence").values_list("type", flat=True)
    assert list(told) == ["order.created.v1", "order.cancelled.v1"]


def test_counters_are_taken_in_one_order_so_that_two_who_publish_for_many_subjects_never_deadlock() -> None:
    orders = sorted(uuid4() for _ in range(20))
    published(*map(order_created, orders))
    with a_transaction() as other:
        lock(other, "events_subjectcounter", orders[0], key="subject")
        with meanwhile(lambda: published(*map(order_cancelled, reversed(orders)))):
            until("it waits for the first counter", helpers.waiting_for_locks)
            lock(other, "events_subjectcounter", *orders[1:], key="subject")
            other.rollback()
    assert Event.objects.filter(type="order.cancelled.v1").count() == 20


def test_what_is_published_behind_a_dead_letter_is_parked_at_once() -> None:

    def fail(event: object) -> None:
        raise PermanentError("bad data")

    order_id = uuid4()
    published(order_created(order_id))
    with pytest.raises(PermanentError):
        run(handler(fail))
    published(order_cancelled(order_id))
    assert helpers.only(handler="inventory.release_items").due_at is None
    assert helpers.only(handler="analytics.track_order", event_type="order.cancelled.v1").due_at is not None


def test_what_is_published_behind_one_that_backs_off_is_parked_until_that_is_due_again() -> None:

    def stumble(event: object) -> None:
        raise ValueError("no luck")

    order_id = uuid4()
    published(order_created(order_id))
    with pytest.raises(Retry):
        run(handler(stumble))
    (first,) = published(order_cancelled(order_id))
    assert helpers.only(handler="inventory.release_items", event_id=first).due_at is None
    Delivery.objects.filter(event_id=first).delete()
    helpers.make_due(handler="inventory.reserve_items")
    (second,) = published(order_cancelled(order_id))
    assert helpers.only(handler="inventory.release_items", event_id=second).due_at is not None


def test_what_is_published_behind_a_done_delivery_is_due_at_once() -> None:
    order_id = uuid4()
    published(order_created(order_id))
    run(handler(nothing))
    published(order_cancelled(order_id))
    assert helpers.only(handler="inventory.release_items").due_at is not None
