"""PostgreSQL's clock steps back: what it wrote before lies in the future. (The same as rows moved into the future.)"""

import logging
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from events import commit_horizon
from events.error_text import describe
from events.handling import failures
from events.models import Delivery, Reason, Tally, TallyMark, WaitingFor
from events.relaying import claims, clock_steps, sweeps
from events.relaying.relay import Relay
from events.relaying.sender import Sender
from events.statistics import tally
from events.tests.helpers import SORT, claimed, only, published, start_one
from events.tests.parcels import parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
ERROR = describe(ValueError())


def step_back(by: timedelta = HOUR) -> None:
    """Let the clock show an earlier time: all that it wrote lies in the future by as much."""
    columns = ("due_at", "lease_until", "started_at", "waiting_since", "handled_at")
    Delivery.objects.update(**{column: F(column) + by for column in columns})
    TallyMark.objects.update(until=F("until") + by)


def seconds_ahead(column: str) -> float:
    """How far in the future this time of the sorting is."""
    moment = getattr(only(handler=SORT), column)
    return float((moment - commit_horizon.now()).total_seconds())


@pytest.mark.parametrize("state", ["leased", "running"])
def test_a_lease_runs_out_after_one_lease_from_now(state: str, caplog: pytest.LogCaptureFixture) -> None:
    published(parcel_packed())
    message = claimed()
    if state == "running":
        assert start_one(*message, worker="gone", lease=10)
    Delivery.objects.filter(handler=SORT).update(lease_seconds=10)
    step_back()
    assert clock_steps.bring_down_leases() == 1
    assert 8 < seconds_ahead("lease_until") <= 10
    assert "PostgreSQL's clock has stepped back: 1 leases were up to 36" in caplog.text


def test_a_lease_that_is_as_long_as_it_may_be_stays() -> None:
    published(parcel_packed())
    assert start_one(*claimed(), worker="w", lease=10)
    before = only(handler=SORT).lease_until
    assert clock_steps.bring_down_leases() == 0
    assert only(handler=SORT).lease_until == before


@pytest.mark.parametrize("step", [timedelta(seconds=30), HOUR])
def test_what_was_due_is_due_at_once(step: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    published(parcel_packed())
    step_back(step)
    assert claims.due_queues() == []
    assert clock_steps.bring_down_due() == 3
    assert {due.name for due in claims.due_queues()} == {"sorting", "letters", "counting"}
    assert "3 due times were up to" in caplog.text


def fail(times: int, **how: Any) -> None:
    """Let the sorting have failed so many times, the last time just now."""
    for _ in range(times):
        Delivery.objects.filter(handler=SORT).update(due_at=Now())
        started = start_one(*claimed(), worker="w", lease=30)
        assert started
        failures.retry(started, error=ERROR, **{"counted": True, "delay": 0.9} | how)


def test_a_back_off_stays_as_long_as_it_may_be_and_no_longer() -> None:
    published(parcel_packed())
    fail(6, delay=settings.EVENTS["BACKOFF_FIRST"] * 32)
    assert clock_steps.bring_down_due() == 0
    assert seconds_ahead("due_at") > 30
    step_back(timedelta(seconds=5))
    Delivery.objects.exclude(handler=SORT).update(due_at=Now())
    assert clock_steps.bring_down_due() == 1
    assert seconds_ahead("due_at") <= 0


def test_no_back_off_is_longer_than_the_longest_however_often_it_failed() -> None:
    published(parcel_packed())
    fail(1, delay=settings.EVENTS["BACKOFF_LONGEST"])
    Delivery.objects.filter(handler=SORT).update(attempts=9, waits=40)
    assert clock_steps.bring_down_due() == 0
    step_back(timedelta(seconds=5))
    Delivery.objects.exclude(handler=SORT).update(due_at=Now())
    assert clock_steps.bring_down_due() == 1


def test_a_handler_that_this_code_does_not_know_may_back_off_as_long_as_any() -> None:
    published(parcel_packed())
    fail(1, delay=400)  # letters wait for longer than others
    Delivery.objects.filter(handler=SORT).update(handler="later.handler")
    assert clock_steps.bring_down_due() == 0
    step_back()
    assert clock_steps.bring_down_due() == 3


def test_a_wait_for_code_may_be_as_long_as_one_is() -> None:
    published(parcel_packed())
    set_aside(delay=settings.EVENTS["UNKNOWN_RETRY"])
    assert clock_steps.bring_down_due() == 0
    step_back(timedelta(minutes=2))
    assert clock_steps.bring_down_due() == 3


def set_aside(delay: float = 1) -> None:
    Delivery.objects.filter(handler=SORT).update(due_at=Now())
    failures.set_aside(*claimed(), reason=Reason.NO_SUCH_HANDLER, error=ERROR, grace=60, delay=delay)


def test_what_is_parked_stays_parked() -> None:
    published(parcel_packed())
    Delivery.objects.update(due_at=None)
    step_back()
    assert clock_steps.bring_down_due() == 0
    assert sweeps.park_missed() == 0


def test_a_wait_that_began_in_the_future_has_just_begun() -> None:
    published(parcel_packed())
    fail(1, counted=False, waiting_for=WaitingFor.DEPENDENCY)
    step_back()
    fail(1, counted=False, waiting_for=WaitingFor.DEPENDENCY)
    assert seconds_ahead("waiting_since") <= 0
    set_aside()
    step_back()
    set_aside()
    assert seconds_ahead("waiting_since") <= 0


def test_the_relay_brings_all_of_it_down_by_itself_and_it_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    published(parcel_packed())
    claimed()
    tally.advance()
    step_back()
    relay = Relay(Sender(Celery(broker=settings.BROKER_URL)))
    relay._sweep()
    assert seconds_ahead("lease_until") <= only(handler=SORT).lease_seconds
    assert {due.name for due in claims.due_queues()} == {"letters", "counting"}
    counted = Tally.objects.filter(what="ahead", grain="ever").values_list("name", "count")
    assert dict(counted) == {SORT: 1, "letters.announce": 1, "counting.count": 1}
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 3


def test_the_tallies_go_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(commit_horizon, "MARGIN", 0.0)
    tally.advance()
    step_back()
    tally.advance()
    published(parcel_packed())
    while tally.advance():
        pass
    assert Tally.objects.get(what="published", grain="ever").count == 1
    assert "has stepped back" in caplog.text


def test_a_moment_in_the_future_is_not_waited_for_until_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_horizon, "longest_transaction", lambda: 0.05)
    looks = list(commit_horizon.until_settled(timezone.now() + HOUR))
    assert looks
