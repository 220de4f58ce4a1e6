"""How it is written down what became of a delivery, also while the database is away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.conf import settings
from django.db import DataError, OperationalError

from events.errors import DependencyAway
from events.handling import outcomes
from events.handling.outcomes import write_down
from events.models import Delivery, Event
from events.policy import Backoff, Limits
from events.relaying.sweeps import database_time
from events.sql import fetch
from events.tests.helpers import SORT, handler, nothing, only, published, run
from events.tests.parcels import parcel_packed
from events.tests.servers import a_transaction

pytestmark = pytest.mark.django_db(transaction=True)


class Writing:
    """A write that fails so many times, and then tells how often it was tried."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.tries = 0

    def __call__(self) -> int:
        self.tries += 1
        if self._errors:
            raise self._errors.pop(0)
        return self.tries


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "PAUSE", 0)


def away() -> OperationalError:
    return OperationalError("the connection is closed")


def test_an_outcome_waits_for_a_database_that_is_away() -> None:
    assert write_down(handler(nothing), Writing(away(), away())) == 3


def test_an_outcome_waits_no_longer_than_the_handlers_soft_time_limit() -> None:
    writing = Writing(away(), away())
    with pytest.raises(Retry):
        write_down(handler(nothing, limits=Limits(0)), writing)
    assert writing.tries == 1


def test_an_outcome_that_the_database_refuses_is_not_tried_again() -> None:
    writing = Writing(DataError("too long"))
    with pytest.raises(Retry):
        write_down(handler(nothing), writing)
    assert writing.tries == 1


def test_an_outcome_is_written_on_a_new_connection_where_the_old_one_has_died() -> None:
    ((pid,),) = fetch("SELECT pg_backend_pid()", {})
    with a_transaction() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert write_down(handler(nothing, limits=Limits(5)), lambda: fetch("SELECT pg_backend_pid()", {})) != [(pid,)]


def test_the_soft_time_limit_ends_the_wait_for_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "PAUSE", 10)
    with time_limit(0.05), pytest.raises(Retry):
        write_down(handler(nothing), Writing(away()))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise what Celery raises in a handler whose time is over, as it does: in a signal's handler."""

    def over(*_: Any) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Told(Backoff):
    """A back-off of as many seconds as there were failures, and some."""

    def delay(self, failures: int) -> float:
        return 100 * failures + 0.12345


@pytest.mark.parametrize("error", [ValueError("no luck"), DependencyAway("down")])
def test_the_back_off_grows_with_all_that_was_tried_and_is_told_to_the_millisecond(error: Exception) -> None:
    def fail(event: Any) -> None:
        raise error

    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(attempts=1, waits=3)
    before = database_time()
    with pytest.raises(Retry) as caught:
        run(handler(fail, backoff=Told(1, 1)))
    assert caught.value.when == 500.123
    due_at = only(handler=SORT).due_at
    assert due_at is not None
    assert timedelta(seconds=500) < due_at - before < timedelta(seconds=520)


def test_what_waits_for_code_is_told_when_it_is_looked_at_again() -> None:
    (event_id,) = published(parcel_packed())
    Event.objects.filter(pk=event_id).update(type="parcel.packed.v9")
    with pytest.raises(Retry) as caught:
        run(handler(nothing))
    assert caught.value.when == settings.EVENTS["UNKNOWN_RETRY"]
