from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection, transaction
from django.db.models.functions import Now

from events.error_text import describe, fingerprint
from events.handling import deliveries, failures, runner
from events.letters import dead_letters
from events.models import Delivery, Reason
from events.relaying import claims, sweeps
from events.tests.helpers import (
    ANNOUNCE,
    SORT,
    claimed,
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

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_that_nobody_started_is_sent_again_uncounted() -> None:
    published(parcel_packed())
    claimed()
    let_the_lease_run_out()
    assert sweeps.expire_leases() == 1
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts, delivery.token, delivery.error_type) == ("pending", 0, None, "")


def test_an_attempt_that_began_before_the_database_was_away_is_not_counted() -> None:
    published(parcel_packed())
    assert start_one(*claimed(), worker="lost", lease=30)
    let_the_lease_run_out()
    away_until = sweeps.database_time()
    assert sweeps.expire_leases(away_until=away_until) == 1
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts, delivery.waits) == ("pending", 0, 1)
    assert start_one(*claimed(), worker="lost again", lease=30)
    let_the_lease_run_out()
    assert sweeps.expire_leases(away_until=away_until) == 1
    assert only(handler=SORT).attempts == 1


def test_a_message_that_waited_for_longer_than_its_lease_still_starts_its_delivery() -> None:
    published(parcel_packed())
    delivery_id, token = claimed()
    let_the_lease_run_out()
    sweeps.expire_leases()
    assert runner.run(handler(nothing), {delivery_id: token}, worker="late") == "done at attempt 1"


def test_of_a_late_message_and_the_one_sent_after_it_the_first_to_come_starts_the_delivery() -> None:
    published(parcel_packed())
    late = claimed()
    let_the_lease_run_out()
    sweeps.expire_leases()
    again = claimed()
    assert runner.run(handler(nothing), dict([late]), worker="late") == "done at attempt 1"
    assert runner.run(handler(nothing), dict([again]), worker="again").startswith("stale")
    assert (only(handler=SORT).state, only(handler=SORT).attempts) == ("done", 1)


def test_a_late_message_waits_for_its_turn_behind_an_earlier_one_that_was_replayed_meanwhile() -> None:
    parcel_id = uuid4()
    letter = a_dead_letter(ANNOUNCE, parcel_id)
    published(parcel_lost(parcel_id))
    late = claimed("letters")
    let_the_lease_run_out(pk=late[0])
    sweeps.expire_leases()
    dead_letters.replay(letter, by="ann")
    assert start_one(*late, worker="late", lease=30) is None
    run(handler(nothing, name=ANNOUNCE))
    assert start_one(*late, worker="late", lease=30) is not None


def test_a_late_copy_of_a_message_whose_attempt_failed_starts_no_other() -> None:
    published(parcel_packed())
    late = claimed()
    started = start_one(*late, worker="first", lease=30)
    assert started is not None
    failures.retry(started, delay=0, counted=True, error=describe(ValueError()))
    assert start_one(*late, worker="late", lease=30) is None


def test_a_late_copy_does_not_cut_a_wait_for_code_short() -> None:
    published(parcel_packed())
    late = claimed()
    unknown = {"reason": Reason.NO_SUCH_HANDLER, "error": describe(ValueError()), "grace": 60, "delay": 60}
    assert failures.set_aside(*late, **unknown) == "pending"  # type: ignore[arg-type]
    assert start_one(*late, worker="late", lease=30) is None


def test_a_lease_holds_for_its_seconds_from_the_start_on() -> None:
    published(parcel_packed())
    delivery_id, token = claimed()
    assert sweeps.expire_leases() == 0
    started = start_one(delivery_id, token, worker="at work", lease=7)
    assert started is not None
    delivery = only(pk=delivery_id)
    assert delivery.started_at is not None
    assert delivery.lease_until is not None
    assert (delivery.lease_until - delivery.started_at).total_seconds() == pytest.approx(7, abs=0.5)
    assert (delivery.lease_seconds, delivery.worker) == (7, "at work")
    assert sweeps.expire_leases() == 0


def test_a_lost_worker_costs_the_attempt_that_it_had_begun() -> None:
    published(parcel_packed())
    start_one(*claimed(), worker="gone@host", lease=30)
    let_the_lease_run_out()
    sweeps.expire_leases()
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts, delivery.error_type) == ("pending", 1, "WorkerLost")
    assert "gone@host" in delivery.error_message


def test_a_delivery_that_loses_its_worker_every_time_ends_as_a_dead_letter() -> None:
    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(max_attempts=2)
    for _ in range(2):
        start_one(*claimed(), worker="gone", lease=30)
        let_the_lease_run_out()
        sweeps.expire_leases()
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("dead", "worker_lost", 2)


def test_an_attempt_cut_off_by_a_restart_of_postgresql_is_not_counted() -> None:
    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(max_attempts=1)
    start_one(*claimed(), worker="gone", lease=30)
    Delivery.objects.filter(handler=SORT).update(lease_until="2020-01-01T00:00:00Z")
    sweeps.expire_leases()
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts, delivery.waits) == ("pending", 0, 1)


def test_an_attempt_whose_lease_ran_out_after_the_database_came_back_began_before_it_was_away() -> None:
    published(parcel_packed())
    start_one(*claimed(), worker="gone", lease=30)
    Delivery.objects.filter(handler=SORT).update(lease_until=Now())
    sweeps.expire_leases(away_until=sweeps.database_time() - timedelta(seconds=10))
    assert (only(handler=SORT).attempts, only(handler=SORT).waits) == (0, 1)


def test_a_message_that_was_lost_keeps_its_place_in_the_queue() -> None:
    published(parcel_packed())
    due = only(handler=SORT).due_at
    claimed()
    let_the_lease_run_out()
    sweeps.expire_leases()
    assert only(handler=SORT).due_at == due


def test_a_lost_worker_takes_the_place_of_the_error_before_and_a_lost_message_does_not() -> None:
    def error() -> tuple[str, ...]:
        one = only(handler=SORT)
        return one.error_type, one.error_message, one.error_traceback, one.fingerprint

    published(parcel_packed())
    with pytest.raises(Retry):
        run(handler(stumble))
    make_due(handler=SORT)
    before = error()
    claimed()
    let_the_lease_run_out()
    sweeps.expire_leases()
    assert error() == before
    start_one(*claimed(), worker="gone", lease=30)
    let_the_lease_run_out()
    sweeps.expire_leases()
    told = "worker gone was lost, frozen or cut off in attempt 2"
    assert error() == ("WorkerLost", told, "", fingerprint("WorkerLost"))


def test_what_a_lost_worker_had_is_seen_by_a_relay_that_looks_from_this_moment_on() -> None:
    published(parcel_packed())
    start_one(*claimed(), worker="gone", lease=30)
    let_the_lease_run_out()
    floor = sweeps.database_time()
    sweeps.expire_leases()
    assert claims.claim("sorting", 1, floor=floor) is not None


def test_a_message_that_nobody_started_kills_nothing_whatever_was_tried_before() -> None:
    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(attempts=1, max_attempts=1)
    claimed()
    let_the_lease_run_out()
    sweeps.expire_leases()
    assert (only(handler=SORT).state, only(handler=SORT).attempts) == ("pending", 1)


def test_where_the_clock_has_stepped_back_a_lost_attempt_is_counted() -> None:
    published(parcel_packed())
    start_one(*claimed(), worker="gone", lease=30)
    let_the_lease_run_out()
    sweeps.expire_leases(away_until=sweeps.database_time() + timedelta(hours=1))
    assert (only(handler=SORT).attempts, only(handler=SORT).waits) == (1, 0)


def test_of_many_leases_that_ran_out_a_sweep_ends_the_first_of_each_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    def over_since(seconds: int, delivery_id: UUID) -> None:
        moment = sweeps.database_time() - timedelta(seconds=seconds)
        Delivery.objects.filter(pk=delivery_id).update(lease_until=moment)

    published(parcel_packed(), parcel_packed())
    claim = claims.claim("sorting", 2)
    assert claim is not None
    lower, higher = sorted(delivery.id for delivery in claim.deliveries)
    over_since(60, lower)
    over_since(90, higher)
    over_since(30, claimed("counting")[0])
    monkeypatch.setattr(sweeps, "EXPIRED", 1)
    states = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        for _ in range(3):
            assert sweeps.expire_leases() == 1
            states.append((only(pk=lower).state, only(pk=higher).state))
    assert ("pending", "leased") not in states
    assert states[-1] == ("pending", "pending")
    assert sweeps.expire_leases() == 0


def test_a_lease_that_has_not_run_out_stays() -> None:
    published(parcel_packed())
    claimed()
    assert sweeps.expire_leases() == 0
    assert only(handler=SORT).state == "leased"


def test_a_delivery_whose_worker_is_just_committing_is_left_to_it() -> None:
    import threading

    published(parcel_packed())
    started = start_one(*claimed(), worker="slow", lease=30)
    assert started is not None
    let_the_lease_run_out()
    expired: list[int] = []

    def relay() -> None:
        expired.append(sweeps.expire_leases())
        connection.close()

    with transaction.atomic():
        assert deliveries.hold([started])
        thread = threading.Thread(target=relay)
        thread.start()
        thread.join(10)
        assert expired == [0]
        assert deliveries.finish([started])
    assert only(handler=SORT).state == "done"
