from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection, transaction

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
    ANNOUNCE,
    SORT,
    break_down,
    claimed,
    due_since,
    handler,
    let_the_lease_run_out,
    make_due,
    nothing,
    only,
    published,
    run,
    start_one,
    stumble,
)
from events.tests.parcels import a_dead_letter, parcel_lost, parcel_packed
from events.tests.servers import a_transaction, lock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def parcel_id() -> UUID:
    """A parcel that was packed and lost, with nothing handled yet."""
    parcel_id = uuid4()
    published(parcel_packed(parcel_id), parcel_lost(parcel_id))
    return parcel_id


def next_one() -> Delivery:
    return only(handler="sorting.take_out")


def test_what_a_retrying_delivery_holds_is_parked_and_woken_when_it_is_done(parcel_id: UUID) -> None:
    with pytest.raises(Retry):
        run(handler(stumble))
    assert next_one().due_at is None
    make_due(handler=SORT)
    run(handler(nothing))
    assert next_one().due_at is not None
    assert run(handler(nothing)) == "done at attempt 1"


def test_other_consumers_of_the_subject_go_on(parcel_id: UUID) -> None:
    with pytest.raises(Retry):
        run(handler(stumble))
    run(handler(nothing, name="counting.count"))
    run(handler(nothing, name="counting.count"))
    assert Delivery.objects.filter(consumer="counting", state="done").count() == 2


def test_behind_a_dead_letter_that_holds_the_next_stays_parked(parcel_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(break_down))
    sweeps.wake_missed(after=FIRST)
    assert next_one().due_at is None
    assert claims.claim("sorting", 10) is None


def test_a_dead_letter_that_holds_nothing_is_passed_by(parcel_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(break_down, name=ANNOUNCE))
    assert run(handler(nothing, name="letters.apologise")).startswith("done")


def test_one_that_backs_off_keeps_its_own_due_time_whatever_happens_before_it() -> None:
    parcel_id = uuid4()
    first, second = ANNOUNCE, "letters.apologise"
    letter = a_dead_letter(first, parcel_id)
    published(parcel_lost(parcel_id))
    with pytest.raises(Retry):
        run(handler(stumble, name=second))
    again_at = only(handler=second).due_at
    assert sweeps.park_missed() == 0
    dead_letters.replay(letter, by="ann")
    with pytest.raises(Retry):
        run(handler(stumble, name=first))
    published(parcel_packed())  # a sweep looks only at queues in which something is due
    assert sweeps.park_missed() == 0
    assert only(handler=second).due_at == again_at
    make_due(handler=first, subject=parcel_id)
    run(handler(nothing, name=first))
    assert only(handler=second).due_at == again_at


def started(queue: str = "sorting") -> Started:
    found = start_one(*claimed(queue), worker="test", lease=30)
    assert found is not None
    return found


def retry(one: Started) -> bool:
    return failures.retry(one, delay=0, counted=True, error=describe(ValueError()))


def test_parking_and_waking_wait_for_nobody_and_leave_the_rest_to_the_sweep(parcel_id: UUID) -> None:
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", next_one().id)
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        assert retry(started())
        assert next_one().due_at is not None
    Delivery.objects.filter(pk=next_one().id).update(due_at=None)
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", next_one().id)
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        assert deliveries.finish([started()])
        assert next_one().due_at is None
    sweeps.wake_missed(after=FIRST)
    assert next_one().due_at is not None


def test_what_fails_parks_what_comes_after_it_and_nothing_else(parcel_id: UUID) -> None:
    one = started()
    published(parcel_packed(other := uuid4()), parcel_lost(other))
    assert retry(one)
    parked = Delivery.objects.filter(due_at=None)
    assert [(delivery.subject, delivery.handler) for delivery in parked] == [(parcel_id, "sorting.take_out")]


def test_what_fails_parks_neither_an_earlier_one_nor_one_that_is_at_work() -> None:
    parcel_id = uuid4()
    earlier = a_dead_letter(ANNOUNCE, parcel_id)
    published(parcel_lost(parcel_id))
    later = started("letters")
    dead_letters.replay(earlier, by="ann")
    assert retry(started("letters"))
    assert only(pk=later.id).due_at is not None
    assert retry(later)
    assert not Delivery.objects.filter(consumer="letters", due_at=None).exists()


def test_the_next_in_order_is_woken_and_no_other(parcel_id: UUID) -> None:
    published(parcel_lost(parcel_id), parcel_lost(other := uuid4()))
    one, *waiting = Delivery.objects.filter(consumer="sorting", subject=parcel_id).order_by("sequence")
    ids = [each.id for each in waiting] + [Delivery.objects.get(consumer="sorting", subject=other).id]
    holder = started()
    assert holder.id == one.id
    for each in reversed(ids):  # they lie in the table the other way round
        Delivery.objects.filter(pk=each).update(due_at=None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        assert deliveries.finish([holder])
    assert [only(pk=each).due_at is None for each in ids] == [False, True, True]


def test_another_consumer_and_another_subject_are_not_woken(parcel_id: UUID) -> None:
    mine = Delivery.objects.filter(subject=parcel_id, event_type="parcel.lost.v1")
    mine.update(due_at=None)
    published(parcel_packed(other := uuid4()))
    Delivery.objects.filter(subject=other).update(due_at="2999-01-01T00:00:00Z")
    run(handler(nothing, name=ANNOUNCE))
    assert [one.consumer for one in mine.exclude(due_at=None)] == ["letters"]
    with pytest.raises(PermanentError):  # a death that the next one passes by
        run(handler(break_down, name="counting.count"))
    assert {one.consumer for one in mine.exclude(due_at=None)} == {"letters", "counting"}
    assert Delivery.objects.filter(subject=other, due_at__year=2999).count() == 3


def test_a_parked_delivery_that_nobody_woke_is_found_by_the_sweep(parcel_id: UUID) -> None:
    run(handler(nothing))
    Delivery.objects.filter(handler="sorting.take_out").update(due_at=None)
    sweeps.wake_missed(after=UUID(int=0))
    assert next_one().due_at is not None


def test_the_sweep_leaves_alone_what_has_to_wait(parcel_id: UUID) -> None:
    Delivery.objects.filter(handler="sorting.take_out").update(due_at=None)
    sweeps.wake_missed(after=UUID(int=0))
    assert next_one().due_at is None


def test_the_sweep_goes_through_many_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "PARKED", 2)
    for _ in range(5):
        published(parcel_packed())
    parked = Delivery.objects.filter(consumer="sorting", due_at=None)
    Delivery.objects.filter(consumer="sorting").update(due_at=None)
    after = UUID(int=0)
    for left in (3, 1, 0):
        after = sweeps.wake_missed(after=after)
        assert parked.count() == left
    assert after == UUID(int=0)


def test_the_sweep_parks_what_is_due_behind_a_dead_letter(parcel_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(break_down))
    Delivery.objects.filter(handler="sorting.take_out").update(due_at="2020-01-01T00:00:00Z")
    assert sweeps.park_missed() == 1
    assert next_one().due_at is None


def test_the_sweep_looks_for_what_to_park_among_the_oldest(parcel_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError):
        run(handler(break_down))
    (other,) = published(parcel_packed())
    monkeypatch.setattr(sweeps, "DUE", 1)
    due_since(60, pk=next_one().id)
    due_since(90, event_id=other)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        assert sweeps.park_missed() == 0
    due_since(30, event_id=other)
    assert sweeps.park_missed() == 1


def test_the_sweep_looks_at_some_of_each_queue(parcel_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError):
        run(handler(break_down))
    first, second = published(parcel_packed(), parcel_packed())
    monkeypatch.setattr(sweeps, "DUE", 2)
    due_since(120, event_id=first, handler=SORT)  # nothing holds it, nor those of the other queue
    due_since(90, event_id=first, handler=ANNOUNCE)
    due_since(80, event_id=second, handler=ANNOUNCE)
    due_since(60, pk=next_one().id)
    assert sweeps.park_missed() == 1
    assert next_one().due_at is None


def test_the_sweep_waits_for_nobody(parcel_id: UUID) -> None:
    with pytest.raises(PermanentError):
        run(handler(break_down))
    due_since(60, pk=next_one().id)
    with held_by_another(next_one().id):
        assert sweeps.park_missed() == 0
    assert sweeps.park_missed() == 1
    Delivery.objects.filter(state="dead").update(state="discarded", reason="")
    with held_by_another(next_one().id):
        sweeps.wake_missed(after=FIRST)
        assert next_one().due_at is None
    sweeps.wake_missed(after=FIRST)
    assert next_one().due_at is not None


@contextmanager
def held_by_another(delivery_id: UUID) -> Iterator[None]:
    """Let somebody hold this delivery, and fail if the enclosed work waits for it."""
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", delivery_id)
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        yield


def test_the_sweep_goes_on_after_what_it_looked_at_also_where_that_has_to_wait(
    parcel_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "PARKED", 1)
    published(parcel_lost(parcel_id))
    first, second = Delivery.objects.filter(handler="sorting.take_out").order_by("id").values_list("id", flat=True)
    for each in (second, first):  # they lie in the table the other way round
        Delivery.objects.filter(pk=each).update(due_at=None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        assert [sweeps.wake_missed(after=after) for after in (FIRST, first, second)] == [
            first,
            second,
            FIRST,
        ]


def test_the_sweep_goes_on_after_the_last_that_it_looked_at(parcel_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "PARKED", 2)
    published(parcel_lost(parcel_id), parcel_lost(parcel_id))
    waiting = Delivery.objects.filter(handler="sorting.take_out").order_by("id")
    waiting.update(due_at=None)
    assert sweeps.wake_missed(after=FIRST) == waiting.values_list("id", flat=True)[1]


def test_the_sweep_wakes_nothing_that_has_come_to_back_off_since_it_looked(parcel_id: UUID) -> None:
    run(handler(nothing))
    with pytest.raises(Retry):
        run(handler(stumble, name="sorting.take_out"))
    again_at = next_one().due_at
    assert fetch(sweeps._WAKE_MISSED, {"ids": [next_one().id]}) == []
    assert next_one().due_at == again_at


def lose(queue: str) -> None:
    """Let the worker be lost that has just started a delivery of this queue."""
    let_the_lease_run_out(pk=started(queue).id)
    assert sweeps.expire_leases() == 1


def test_a_lost_worker_parks_what_its_delivery_holds_once_that_is_dead(parcel_id: UUID) -> None:
    Delivery.objects.filter(handler=SORT).update(max_attempts=2)
    lose("sorting")
    assert next_one().due_at is not None
    lose("sorting")
    assert next_one().due_at is None


def test_a_lost_worker_wakes_what_passes_its_dead_delivery_by(parcel_id: UUID) -> None:
    Delivery.objects.filter(handler=ANNOUNCE).update(max_attempts=1)
    Delivery.objects.filter(handler="letters.apologise").update(due_at=None)
    lose("letters")
    assert only(handler="letters.apologise").due_at is not None


def test_the_sweep_parks_nothing_behind_what_is_about_to_run(parcel_id: UUID) -> None:
    assert sweeps.park_missed() == 0
