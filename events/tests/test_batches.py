"""Deliveries that share a message: done together, and given back to run alone when anything goes wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.db import DataError, OperationalError, connection, transaction
from django.db.models.functions import Now

from events import floors, flower
from events.correlation import correlated
from events.errors import PermanentError
from events.handlers import Handler, ReceivedEvent, Shape
from events.handling import deliveries, runner
from events.handling.batch import Batch
from events.handling.runner import DEADLOCK_RETRIES
from events.models import Delivery, Event, FailedAttempt, SubjectCounter
from events.policy import Limits
from events.publishing import publish
from events.relaying import batching as claim_sizes
from events.relaying import claims, sweeps
from events.relaying.batching import LEAST, messages
from events.relaying.claims import Claimed
from events.sql import fetch
from events.subscriptions import the_map
from events.tests.helpers import SORT, handler, nothing, only, published, run, start_one, tokens
from events.tests.parcels import ParcelData, ParcelSortedV1, parcel_packed
from events.tests.servers import a_transaction, lock

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = 5
Many = Callable[[Sequence[ReceivedEvent[Any]]], Iterable[ReceivedEvent[Any]] | None]


def mark(event: ReceivedEvent[Any]) -> None:
    """An effect that can be counted."""
    SubjectCounter.objects.create(subject=uuid4(), last=-1)


def mark_many(events: Sequence[ReceivedEvent[Any]]) -> None:
    for event in events:
        mark(event)


def marks() -> int:
    return SubjectCounter.objects.filter(last=-1).count()


def batching(many: Many, shape: Shape = Shape.EFFECT, **policy: Any) -> Handler:
    return handler(many, SORT, shape, many=True, **policy)


def waiting() -> dict[UUID, UUID]:
    """Claim deliveries of as many parcels; return the tokens by their ids, as one message would carry them."""
    published(*(parcel_packed() for _ in range(SIZE)))
    return tokens(claims.claim("sorting", SIZE))


def run_many(the_handler: Handler) -> str:
    return runner.run(the_handler, waiting(), worker="test")


def states() -> set[tuple[str, int, int]]:
    return set(Delivery.objects.filter(handler=SORT).values_list("state", "attempts", "batch"))


def refuse(events: Sequence[ReceivedEvent[Any]]) -> None:
    mark_many(events)
    raise ValueError("not these")


def test_a_batch_is_done_together_and_each_counts_one_attempt() -> None:
    assert run_many(batching(mark_many)) == "5 of 5 done"
    assert states() == {("done", 1, 25)}
    assert not Delivery.objects.filter(in_batch=True).exists()
    assert marks() == SIZE


def test_a_batch_that_fails_changes_nothing_and_each_goes_on_alone_with_all_its_attempts() -> None:
    assert run_many(batching(refuse)) == "0 of 5 done, 5 go on one by one"
    assert states() == {("pending", 0, 1)}
    assert marks() == 0
    assert not FailedAttempt.objects.exists()
    for _ in range(SIZE):
        run(handler(mark))
    assert states() == {("done", 1, 1)}
    assert marks() == SIZE


@pytest.mark.parametrize("error", [SoftTimeLimitExceeded(), PermanentError("bad data")])
def test_whatever_a_batch_raises_makes_no_dead_letter(error: Exception) -> None:
    def fail(events: Sequence[ReceivedEvent[Any]]) -> None:
        raise error

    run_many(batching(fail))
    assert states() == {("pending", 0, 1)}


def test_without_a_form_for_many_one_bad_event_costs_the_others_nothing() -> None:
    bad: list[UUID] = []

    def fail_first(event: ReceivedEvent[Any]) -> None:
        mark(event)
        bad.append(event.id)
        if event.id == bad[0]:
            raise ValueError("this one")

    assert run_many(handler(fail_first)) == "4 of 5 done, 1 go on one by one"
    assert states() == {("done", 1, 25), ("pending", 0, 1)}
    assert not Delivery.objects.filter(in_batch=True).exists()
    assert only(handler=SORT, state="pending").event_id == bad[0]
    assert marks() == SIZE - 1


def test_a_batch_that_takes_too_long_gives_the_rest_back_for_another_one() -> None:
    slow = handler(mark, limits=Limits(lease=0))
    assert run_many(slow) == "0 of 5 done"
    assert states() == {("pending", 0, 25)}


def test_a_batch_is_late_after_its_share_of_the_lease() -> None:
    batch = Batch(handler(mark, limits=Limits(lease=10)), [], alone=False, parents={})
    batch._began -= 3
    assert not batch.is_late()
    batch._began -= 2
    assert batch.is_late()


@pytest.mark.parametrize("error", [SoftTimeLimitExceeded(), OperationalError("the connection is closed")])
def test_where_the_time_is_over_or_the_database_away_the_rest_of_a_batch_is_not_tried(error: Exception) -> None:
    tried: list[UUID] = []

    def fail_third(event: ReceivedEvent[Any]) -> None:
        tried.append(event.id)
        if len(tried) == 3:
            raise error
        mark(event)

    assert run_many(handler(fail_third)) == "2 of 5 done, 3 go on one by one"
    assert len(tried) == 3
    assert (states(), marks()) == ({("done", 1, 25), ("pending", 0, 1)}, 2)


@pytest.mark.parametrize(("state", "tries"), [("40P01", 1 + DEADLOCK_RETRIES), ("22023", 1)])
def test_a_batch_that_is_a_deadlocks_victim_every_time_is_tried_a_few_times(state: str, tries: int) -> None:
    made: list[int] = []

    def be_the_victim(events: Sequence[ReceivedEvent[Any]]) -> None:
        made.append(1)
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")

    assert run_many(batching(be_the_victim)) == "0 of 5 done, 5 go on one by one"
    assert len(made) == tries


def test_a_batch_that_was_a_deadlocks_victim_once_is_done() -> None:
    made: list[int] = []

    def be_the_victim_once(events: Sequence[ReceivedEvent[Any]]) -> None:
        mark_many(events)
        made.append(1)
        if len(made) == 1:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END $$")

    assert run_many(batching(be_the_victim_once)) == "5 of 5 done"
    assert marks() == SIZE


def test_a_batch_that_cannot_be_started_is_left_to_its_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = waiting()
    tries: list[Exception] = []

    def be_away(*_: Any, **__: Any) -> None:
        tries.append(OperationalError("the connection is closed"))
        raise tries[-1]

    monkeypatch.setattr(deliveries, "start", be_away)
    with pytest.raises(Retry) as caught:
        runner.run(batching(mark_many), sent, worker="test")
    assert caught.value.exc is tries[1]
    assert set(Delivery.objects.filter(pk__in=sent).values_list("state", flat=True)) == {"leased"}


def test_a_connection_that_died_meanwhile_costs_a_batch_nothing() -> None:
    sent = waiting()
    ((pid,),) = fetch("SELECT pg_backend_pid()", {})
    with a_transaction() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert runner.run(batching(mark_many), sent, worker="test") == "5 of 5 done"


def test_a_batch_that_the_database_does_not_start_is_an_error() -> None:
    with pytest.raises(DataError):
        run_many(batching(mark_many, limits=Limits(lease=10**12)))


def test_a_batch_that_was_lost_whole_before_its_transaction_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(members: Any) -> set[UUID]:
        return set()

    acted: list[Sequence[ReceivedEvent[Any]]] = []
    monkeypatch.setattr(deliveries, "hold", lose)
    assert run_many(batching(acted.append)) == "0 of 5 done, 5 go on one by one"
    assert acted == []


def test_work_outside_of_one_event_that_came_in_a_batch_is_done_one_after_the_other() -> None:
    done: list[UUID] = []

    def fail_third(event: ReceivedEvent[Any]) -> None:
        if len(done) == 2:
            raise ConnectionRefusedError
        done.append(event.id)

    assert run_many(handler(fail_third, shape=Shape.OUTSIDE)) == "2 of 5 done, 3 go on one by one"
    assert {one.event_id for one in Delivery.objects.filter(handler=SORT, state="done")} == set(done)


def test_two_copies_of_a_batch_do_it_once() -> None:
    sent = waiting()
    copies: list[str] = []

    def copy_arrives(events: Sequence[ReceivedEvent[Any]]) -> None:
        copies.append(runner.run(batching(mark_many), sent, worker="other"))
        mark_many(events)

    runner.run(batching(copy_arrives), sent, worker="test")
    assert copies == [flower.STALE]
    assert states() == {("done", 1, 25)}
    assert marks() == SIZE


def test_a_late_copy_of_a_batch_that_failed_starts_none_of_it_together_again() -> None:
    sent = waiting()
    runner.run(batching(refuse), sent, worker="test")
    assert runner.run(batching(mark_many), sent, worker="test").startswith("stale")
    assert states() == {("pending", 0, 1)}


def test_a_batch_whose_leases_ran_out_in_the_brokers_list_is_run_all_the_same() -> None:
    sent = waiting()
    Delivery.objects.filter(pk__in=sent).update(lease_until=Now())
    assert sweeps.expire_leases() == SIZE
    assert runner.run(batching(mark_many), sent, worker="test") == "5 of 5 done"


def test_a_delivery_that_was_lost_meanwhile_is_left_out() -> None:
    sent = waiting()
    ids = sorted(sent)
    started = deliveries.start(sent, worker="test", lease=30)
    Delivery.objects.filter(pk=ids[0]).update(token=uuid4())
    with transaction.atomic():
        assert deliveries.hold(started) == set(ids[1:])
    assert deliveries.finish(started) == set(ids[1:])
    assert only(pk=ids[0]).state == "running"


def test_a_batch_waits_for_nobody_who_holds_one_of_its_members() -> None:
    sent = waiting()
    ids = sorted(sent)
    started = deliveries.start(sent, worker="test", lease=30)
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", ids[0])
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        assert deliveries.hold(started) == set(ids[1:])
        assert deliveries.finish([one for one in started if one.id in ids[:3]]) == set(ids[1:3])
        assert deliveries.give_back(started, alone=True) == 2


def test_a_batch_starts_without_those_that_somebody_holds_and_waits_for_none() -> None:
    sent = waiting()
    ids = sorted(sent)
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, "events_delivery", ids[0])
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        assert {one.id for one in deliveries.start(sent, worker="test", lease=30)} == set(ids[1:])


def test_of_a_workers_long_name_a_batch_keeps_the_beginning() -> None:
    deliveries.start(waiting(), worker="a" * 99 + "bc", lease=30)
    assert set(Delivery.objects.filter(state="running").values_list("worker", flat=True)) == {"a" * 99 + "b"}


def test_what_a_batch_gives_back_is_seen_by_a_relay_that_looks_from_this_moment_on() -> None:
    sent = waiting()
    floor = sweeps.database_time()
    runner.run(batching(refuse), sent, worker="test")
    claim = claims.claim("sorting", SIZE, floor=floor)
    assert claim is not None
    assert len(claim.deliveries) == SIZE


def test_a_worker_that_lost_its_batch_renews_no_lease_of_those_who_have_it_now() -> None:
    sent = waiting()
    lost = deliveries.start(sent, worker="lost", lease=30)
    assert deliveries.renew(lost)
    Delivery.objects.filter(pk__in=sent).update(lease_until=Now())
    sweeps.expire_leases()
    claim = claims.claim("sorting", SIZE)
    assert claim is not None
    for one in claim.deliveries:
        assert start_one(one.id, one.token, worker="second", lease=30)
    leases = set(Delivery.objects.filter(pk__in=sent).values_list("lease_until", flat=True))
    assert not deliveries.renew(lost)
    assert set(Delivery.objects.filter(pk__in=sent).values_list("lease_until", flat=True)) == leases


def test_a_batchs_leases_hold_from_its_start_and_from_each_renewal() -> None:
    started = deliveries.start(waiting(), worker="at work", lease=7)
    assert sweeps.expire_leases() == 0
    for one in Delivery.objects.filter(state="running"):
        assert one.started_at is not None
        assert one.lease_until is not None
        assert (one.lease_until - one.started_at).total_seconds() == pytest.approx(7, abs=0.5)
        assert (one.lease_seconds, one.worker) == (7, "at work")
    Delivery.objects.filter(state="running").update(lease_until=Now())
    assert deliveries.renew(started[:2])
    assert sweeps.expire_leases() == SIZE - 2


def test_a_lost_batch_costs_no_attempt_and_each_is_sent_alone() -> None:
    sent = waiting()
    ids = sorted(sent)
    deliveries.start(sent, worker="lost", lease=30)
    Delivery.objects.filter(pk__in=ids).update(lease_until=Now(), max_attempts=1)
    assert sweeps.expire_leases() == SIZE
    assert states() == {("pending", 0, 1)}
    assert not Delivery.objects.filter(in_batch=True).exists()
    assert not FailedAttempt.objects.exists()
    claim = claims.claim("sorting", SIZE)
    assert claim is not None
    assert [len(message) for message in messages(claim.deliveries)] == [1] * SIZE


def test_a_batch_that_was_cut_off_by_a_restart_of_postgresql_has_neither_tried_nor_waited() -> None:
    sent = waiting()
    deliveries.start(sent, worker="lost", lease=30)
    Delivery.objects.filter(pk__in=sent).update(lease_until="2020-01-01T00:00:00Z")
    assert sweeps.expire_leases() == SIZE
    assert states() == {("pending", 0, 1)}
    assert set(Delivery.objects.filter(pk__in=sent).values_list("waits", flat=True)) == {0}


def test_an_event_whose_type_this_code_does_not_know_is_left_to_run_alone() -> None:
    sent = waiting()
    Event.objects.filter(pk=only(pk=min(sent)).event_id).update(type="parcel.packed.v9")
    assert runner.run(batching(mark_many), sent, worker="test") == "4 of 5 done, 1 go on one by one"


def test_an_event_that_this_code_cannot_read_is_left_to_run_alone() -> None:
    sent = waiting()
    ids = sorted(sent)
    Event.objects.filter(pk=only(pk=ids[0]).event_id).update(data={"nothing": "fits"})
    assert runner.run(batching(mark_many), sent, worker="test") == "4 of 5 done, 1 go on one by one"
    with pytest.raises(PermanentError):
        run(handler(nothing))
    assert only(pk=ids[0]).reason == "permanent_error"


def test_a_batch_of_which_nothing_can_be_read_is_left_to_run_alone(caplog: pytest.LogCaptureFixture) -> None:
    sent = waiting()
    Event.objects.update(data={"nothing": "fits"})
    assert runner.run(batching(mark_many), sent, worker="test") == "0 of 5 done, 5 go on one by one"
    assert states() == {("pending", 0, 1)}
    assert not [record for record in caplog.records if "a batch of" in record.message]


def test_work_outside_is_finished_one_by_one_until_it_fails() -> None:
    seen: list[ReceivedEvent[Any]] = []

    def act(events: Sequence[ReceivedEvent[Any]]) -> Iterator[ReceivedEvent[Any]]:
        for event in events:
            if len(seen) == 2:
                raise ConnectionRefusedError
            seen.append(event)
            yield event

    assert run_many(batching(act, shape=Shape.OUTSIDE)) == "2 of 5 done, 3 go on one by one"
    done = Delivery.objects.filter(handler=SORT, state="done")
    assert {d.event_id for d in done} == {event.id for event in seen}
    assert states() == {("done", 1, 25), ("pending", 0, 1)}


def test_what_a_batch_publishes_keeps_the_request_that_each_came_from() -> None:
    parcels = [parcel_packed() for _ in range(SIZE)]
    for number, parcel in enumerate(parcels):
        with correlated(f"request-{number}"):
            published(parcel)
    sent = tokens(claims.claim("sorting", SIZE))

    def follow(events: Sequence[ReceivedEvent[Any]]) -> None:
        follow_ups = [ParcelSortedV1(parcel_id=event.subject) for event in events]
        publish(*follow_ups, causes={event.subject: event for event in events})

    runner.run(batching(follow), sent, worker="test")
    for number, parcel in enumerate(parcels):
        ids = set(Event.objects.filter(subject=parcel.parcel_id).values_list("correlation_id", flat=True))
        assert ids == {f"request-{number}"}
    assert Event.objects.filter(type="parcel.sorted.v1").count() == SIZE


def test_those_that_wait_behind_a_batch_are_woken() -> None:
    sent = waiting()
    ids = sorted(sent)
    subjects = list(Delivery.objects.filter(pk__in=ids).values_list("subject", flat=True))
    published(*(parcel_packed(subject) for subject in subjects))
    Delivery.objects.filter(handler=SORT, state="pending").update(due_at=None)
    runner.run(batching(mark_many), sent, worker="test")
    assert Delivery.objects.filter(handler=SORT, state="pending", due_at__isnull=False).count() == SIZE


def claimed(count: int, batch: int = 25, name: str = SORT) -> list[Claimed]:
    return [Claimed(uuid4(), uuid4(), name, 0, "", "", batch, floors.BEGINNING) for _ in range(count)]


def sizes(*deliveries: Claimed) -> list[int]:
    return [len(message) for message in messages(deliveries)]


def test_those_of_one_handler_share_a_message() -> None:
    assert sizes(*claimed(1)) == [1]
    assert sizes(*claimed(2)) == [2]
    assert sizes(*claimed(60)) == [25, 25, 10]
    assert sizes(*claimed(3, batch=1)) == [1, 1, 1]
    assert sizes(*claimed(3), *claimed(2, name="sorting.take_out"), *claimed(2, batch=1)) == [3, 2, 1, 1]


@pytest.mark.parametrize("batch", [1, 25, 60])
def test_a_claim_is_as_large_as_the_largest_batch_of_its_queue(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """`batch` above 25 would have no effect if a claim were no larger."""
    the = the_map()
    large = replace(the, subscriptions={**the.subscriptions, ParcelData: [handler(mark, batch=batch)]})
    monkeypatch.setattr(claim_sizes, "the_map", lambda: large)
    assert claim_sizes.claim_size("sorting") == max(LEAST, batch) == claim_sizes.whole_claim()
    assert claim_sizes.bound("sorting") == 4 * max(LEAST, batch)
    assert (claim_sizes.claim_size("delivery"), claim_sizes.bound("delivery")) == (LEAST, 4 * LEAST)
    assert (claim_sizes.claim_size("customs"), claim_sizes.bound("customs")) == (1, 2)
    assert (claim_sizes.claim_size("unknown"), claim_sizes.bound("unknown")) == (LEAST, 4 * LEAST)
