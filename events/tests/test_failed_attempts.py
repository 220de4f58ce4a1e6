from typing import Any

import pytest
from celery.exceptions import Retry

from events.error_text import describe
from events.errors import DependencyAway, PermanentError
from events.handling import failures
from events.letters.dead_letters import replay
from events.models import Delivery, FailedAttempt
from events.purge import purge_final
from events.relaying import sweeps
from events.tests.helpers import (
    SORT,
    break_down,
    claimed,
    handler,
    let_the_lease_run_out,
    make_due,
    nothing,
    only,
    published,
    run,
    start_one,
)
from events.tests.parcels import parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)


def stumble(event: Any) -> None:
    raise ValueError("no such day")


def be_away(event: Any) -> None:
    raise DependencyAway("the post is closed")


def noted() -> list[tuple[int, str, str, str]]:
    return list(FailedAttempt.objects.values_list("number", "worker", "error_type", "error_message"))


def fail_once(function: Any) -> None:
    make_due(handler=SORT)
    with pytest.raises((Retry, PermanentError)):
        run(handler(function))


def test_each_attempt_that_counted_is_noted_with_its_times_place_and_error() -> None:
    published(parcel_packed())
    fail_once(stumble)
    fail_once(break_down)
    assert noted() == [
        (1, "test", "builtins.ValueError", "no such day"),
        (2, "test", "events.errors.PermanentError", "bad data"),
    ]
    first, second = FailedAttempt.objects.all()
    assert first.started_at < first.ended_at < second.started_at < second.ended_at


def test_a_worker_that_was_lost_is_noted_with_its_name() -> None:
    published(parcel_packed())
    start_one(*claimed(), worker="gone@host", lease=30)
    let_the_lease_run_out()
    sweeps.expire_leases()
    number, worker, error_type, message = noted()[0]
    assert (number, worker, error_type) == (1, "gone@host", "WorkerLost")
    assert "gone@host" in message


def test_the_lost_worker_that_made_it_dead_is_noted_too() -> None:
    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(max_attempts=1)
    start_one(*claimed(), worker="gone@host", lease=30)
    let_the_lease_run_out()
    sweeps.expire_leases()
    assert only(handler=SORT).state == "dead"
    assert [number for number, *_ in noted()] == [1]


def test_what_waits_for_something_that_is_away_has_made_no_attempt() -> None:
    published(parcel_packed())
    fail_once(be_away)
    claimed_before_the_crash()
    assert noted() == []


def claimed_before_the_crash() -> None:
    """A message that nobody started, and an attempt cut off by a restart of PostgreSQL: neither is anybody's fault."""
    make_due(handler=SORT)
    claimed()
    let_the_lease_run_out()
    sweeps.expire_leases()
    start_one(*claimed(), worker="gone", lease=30)
    Delivery.objects.filter(handler=SORT).update(lease_until="2020-01-01T00:00:00Z")
    sweeps.expire_leases()
    assert only(handler=SORT).state == "pending"


def test_a_lost_lease_notes_nothing_for_who_lost_it() -> None:
    published(parcel_packed())
    started = start_one(*claimed(), worker="slow", lease=30)
    assert started is not None
    let_the_lease_run_out()
    sweeps.expire_leases()
    assert not failures.retry(started, delay=1, counted=True, error=describe(ValueError("late")))
    assert [worker for _, worker, *_ in noted()] == ["slow"]


def test_the_attempts_before_a_replay_stay_and_are_counted_from_1_again() -> None:
    published(parcel_packed())
    fail_once(break_down)
    letter = only(handler=SORT)
    replay(letter.id, by="ann")
    fail_once(stumble)
    assert [(number, error) for number, _, error, _ in noted()] == [
        (1, "events.errors.PermanentError"),
        (1, "builtins.ValueError"),
    ]
    make_due(handler=SORT)
    assert run(handler(nothing)) == "done at attempt 2"
    assert len(noted()) == 2


def test_they_are_deleted_with_their_delivery() -> None:
    published(parcel_packed())
    fail_once(stumble)
    Delivery.objects.filter(handler=SORT).update(state="done", due_at=None, handled_at="2020-01-01T00:00:00Z")
    assert purge_final(older_than_days=90) == 1
    assert noted() == []
