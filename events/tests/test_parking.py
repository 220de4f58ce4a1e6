from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection, transaction
from django.db.models.functions import Now

from events.chunks import FIRST
from events.error_text import describe
from events.errors import PermanentError
from events.handling import deliveries, failures
from events.handling.deliveries import Started
from events.letters import dead_letters
from events.models import Delivery
from events.relaying import claims, sweeps
from events.sql import fetch
from events.tests.helpers import (
    a_dead_letter,
    claimed,
    due_since,
    handler,
    make_due,
    nothing,
    only,
    order_cancelled,
    order_created,
    published,
    run,
    start_one,
)
from events.tests.transactions import a_transaction, lock

pytestmark = pytest.mark.django_db(transaction=True)


def fail(event: Any) -> None:
    raise ValueError("no luck")


def fail_for_good(event: Any) -> None:
    raise PermanentError("bad data")


@pytest.fixture
def order_id() -> UUID:
    """An order that was placed and cancelled, with nothing handled yet."""
    order_id = uuid4()
    published(order_created(order_id), order_cancelled(order_id))
    return order_id


def release() -> Delivery:
    return only(handler="inventory.release_items")


def test_what_a_retrying_delivery_holds_is_parked_and_woken_when_it_is_done(order_id: UUID) -> None:
    with pytest.raises(Retry):
        run(handler(fail))
    assert release().due_at is None
    make_due(handler="inventory.reserve_items")
    run(handler(nothing))
    assert release().due_at is not None
    assert run(handler(nothing)) == "done at attempt 1"


def test_other_consumers_of_the_subject_go_on(order_id: UUID) -> None:
    with pytest.raises(Retry):
        run(handler(fail))
    run(handler(nothing, name="analytics.track_order"), "analytics")
    run(handler(nothing, name="analytics.track_order"), "analytics")
    assert Delivery.objects.filter(consumer="analytics", state="done").count() == 2


def test_behind_a_dead_letter_of_inventory_the_next_stays_parked(order_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(fail_for_good))
    sweeps.wake_missed(after=FIRST)
    assert release().due_at is None
    assert claims.claim("inventory", 10) is None


def test_a_dead_letter_of_notifications_is_passed_by(order_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(fail_for_good, name="notifications.send_order_received"), "notifications")
    assert run(handler(nothing, name="notifications.send_order_cancelled"), "notifications").startswith("done")


def test_one_that_backs_off_keeps_its_own_due_time_whatever_happens_before_it() -> None:
    order_id = uuid4()
    received, cancelled = "notifications.send_order_received", "notifications.send_order_cancelled"
    letter = a_dead_letter(received, order_id)
    published(order_cancelled(order_id))
    with pytest.raises(Retry):
        run(handler(fail, name=cancelled), "notifications")
    again_at = only(handler=cancelled).due_at
    assert sweeps.park_missed() == 0
    dead_letters.replay(letter, by="ann")
    with pytest.raises(Retry):
        run(handler(fail, name=received), "notifications")
    published(order_created())  # a sweep looks only at queues in which something is due
    assert sweeps.park_missed() == 0
    assert only(handler=cancelled).due_at == again_at
    make_due(handler=received, subject=order_id)
    run(handler(nothing, name=received), "notifications")
    assert only(handler=cancelled).due_at == again_at


def started(queue: str = "inventory") -> Started:
    found = start_one(*claimed(queue), worker="test", lease=30)
    assert found is not None
    return found


def retry(one: Started) -> bool:
    return failures.retry(one, delay=0, counted=True, error=describe(ValueError()))


def test_parking_and_waking_wait_for_nobody_and_leave_the_rest_to_the_sweep(order_id: UUID) -> None:
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", release().id)
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        assert retry(started())
        assert release().due_at is not None
    Delivery.objects.filter(pk=release().id).update(due_at=None)
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", release().id)
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        assert deliveries.finish([started()])
        assert release().due_at is None
    sweeps.wake_missed(after=FIRST)
    assert release().due_at is not None


def test_what_fails_parks_what_comes_after_it_and_nothing_else(order_id: UUID) -> None:
    one = started()
    published(order_created(other := uuid4()), order_cancelled(other))
    assert retry(one)
    parked = Delivery.objects.filter(due_at=None)
    assert [(delivery.subject, delivery.handler) for delivery in parked] == [(order_id, "inventory.release_items")]


def test_what_fails_parks_neither_an_earlier_one_nor_one_that_is_at_work() -> None:
    order_id = uuid4()
    earlier = a_dead_letter("notifications.send_order_received", order_id)
    published(order_cancelled(order_id))
    later = started("notifications")
    dead_letters.replay(earlier, by="ann")
    assert retry(started("notifications"))
    assert only(pk=later.id).due_at is not None
    assert retry(later)
    assert not Delivery.objects.filter(consumer="notifications", due_at=None).exists()


def test_the_next_in_order_is_woken_and_no_other(order_id: UUID) -> None:
    published(order_cancelled(order_id), order_cancelled(other := uuid4()))
    one, *waiting = Delivery.objects.filter(consumer="inventory", subject=order_id).order_by("sequence")
    ids = [each.id for each in waiting] + [Delivery.objects.get(consumer="inventory", subject=other).id]
    holder = started()
    assert holder.id == one.id
    for each in reversed(ids):  # they lie in the table the other way round
        Delivery.objects.filter(pk=each).update(due_at=None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        assert deliveries.finish([holder])
    assert [only(pk=each).due_at is None for each in ids] == [False, True, True]


def test_another_consumer_and_another_subject_are_not_woken(order_id: UUID) -> None:
    mine = Delivery.objects.filter(subject=order_id, event_type="order.cancelled.v1")
    mine.update(due_at=None)
    published(order_created(other := uuid4()))
    Delivery.objects.filter(subject=other).update(due_at="2999-01-01T00:00:00Z")
    run(handler(nothing, name="notifications.send_order_received"), "notifications")
    assert [one.consumer for one in mine.exclude(due_at=None)] == ["notifications"]
    with pytest.raises(PermanentError):  # a death that the next one passes by
        run(handler(fail_for_good, name="analytics.track_order"), "analytics")
    assert {one.consumer for one in mine.exclude(due_at=None)} == {"notifications", "analytics"}
    assert Delivery.objects.filter(subject=other, due_at__year=2999).count() == 3


def test_a_parked_delivery_that_nobody_woke_is_found_by_the_sweep(order_id: UUID) -> None:
    run(handler(nothing))
    Delivery.objects.filter(handler="inventory.release_items").update(due_at=None)
    sweeps.wake_missed(after=UUID(int=0))
    assert release().due_at is not None


def test_the_sweep_leaves_alone_what_has_to_wait(order_id: UUID) -> None:
    Delivery.objects.filter(handler="inventory.release_items").update(due_at=None)
    sweeps.wake_missed(after=UUID(int=0))
    assert release().due_at is None


def test_the_sweep_goes_through_many_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "PARKED", 2)
    for _ in range(5):
        published(order_created())
    parked = Delivery.objects.filter(consumer="inventory", due_at=None)
    Delivery.objects.filter(consumer="inventory").update(due_at=None)
    after = UUID(int=0)
    for left in (3, 1, 0):
        after = sweeps.wake_missed(after=after)
        assert parked.count() == left
    assert after == UUID(int=0)


def test_the_sweep_parks_what_is_due_behind_a_dead_letter(order_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(fail_for_good))
    Delivery.objects.filter(handler="inventory.release_items").update(due_at="2020-01-01T00:00:00Z")
    assert sweeps.park_missed() == 1
    assert release().due_at is None


def test_the_sweep_looks_for_what_to_park_among_the_oldest(order_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError):
        run(handler(fail_for_good))
    (other,) = published(order_created())
    monkeypatch.setattr(sweeps, "DUE", 1)
    due_since(60, pk=release().id)
    due_since(90, event_id=other)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        assert sweeps.park_missed() == 0
    due_since(30, event_id=other)
    assert sweeps.park_missed() == 1


def test_the_sweep_waits_for_nobody(order_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(fail_for_good))
    due_since(60, pk=release().id)
    with held_by_another(release().id):
        assert sweeps.park_missed() == 0
    assert sweeps.park_missed() == 1
    Delivery.objects.filter(state="dead").update(state="discarded", reason="")
    with held_by_another(release().id):
        sweeps.wake_missed(after=FIRST)
        assert release().due_at is None
    sweeps.wake_missed(after=FIRST)
    assert release().due_at is not None


@contextmanager
def held_by_another(delivery_id: UUID) -> Iterator[None]:
    """Let somebody hold this delivery, and fail if the enclosed work waits for it."""
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", delivery_id)
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        yield


def test_the_sweep_goes_on_after_what_it_looked_at_also_where_that_has_to_wait(
    order_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "PARKED", 1)
    published(order_cancelled(order_id))
    first, second = (
        Delivery.objects.filter(handler="inventory.release_items").order_by("id").values_list("id", flat=True)
    )
    for each in (second, first):  # they lie in the table the other way round
        Delivery.objects.filter(pk=each).update(due_at=None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        assert [sweeps.wake_missed(after=after) for after in (FIRST, first, second)] == [
            first,
            second,
            FIRST,
        ]


def test_the_sweep_wakes_nothing_that_has_come_to_back_off_since_it_looked(order_id: UUID) -> None:
    run(handler(nothing))
    with pytest.raises(Retry):
        run(handler(fail, name="inventory.release_items"))
    again_at = release().due_at
    assert fetch(sweeps._WAKE_MISSED, {"ids": [release().id]}) == []
    assert release().due_at == again_at


def lose(queue: str) -> None:
    """Let the worker be lost that has just started a delivery of this queue."""
    Delivery.objects.filter(pk=started(queue).id).update(lease_until=Now(), lease_seconds=0)
    assert sweeps.expire_leases() == 1


def test_a_lost_worker_parks_what_its_delivery_holds_once_that_is_dead(order_id: UUID) -> None:
    Delivery.objects.filter(handler="inventory.reserve_items").update(max_attempts=2)
    lose("inventory")
    assert release().due_at is not None
    lose("inventory")
    assert release().due_at is None


def test_a_lost_worker_wakes_what_passes_its_dead_delivery_by(order_id: UUID) -> None:
    Delivery.objects.filter(handler="notifications.send_order_received").update(max_attempts=1)
    Delivery.objects.filter(handler="notifications.send_order_cancelled").update(due_at=None)
    lose("notifications")
    assert only(handler="notifications.send_order_cancelled").due_at is not None


def test_the_sweep_parks_nothing_behind_what_is_about_to_run(order_id: UUID) -> None:
    assert sweeps.park_missed() == 0
