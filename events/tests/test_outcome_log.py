"""Each delivery that was handled is one line of the log, under the id of its own request."""

import logging
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Retry
from django.db.models.functions import Now

from events.correlation import RequestIdFilter, correlated, current
from events.errors import PermanentError
from events.handlers import Handler, Shape
from events.handling import runner
from events.handling.runner import run as run_delivery
from events.models import Delivery
from events.policy import Limits
from events.relaying import claims, sweeps
from events.tests.helpers import ANNOUNCE, SORT, claimed, handler, nothing, published, run, start_one, stumble, tokens
from events.tests.parcels import parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = 5


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.handler.addFilter(RequestIdFilter())
    caplog.set_level(logging.INFO)
    return caplog


def outcomes(told: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in told.records if hasattr(record, "outcome")]


def raising(error: Exception) -> Handler:
    def fail(event: Any) -> None:
        raise error

    return handler(fail)


def parcel_of(request_id: str) -> None:
    with correlated(request_id):
        published(parcel_packed())


def test_one_that_is_done(told: pytest.LogCaptureFixture) -> None:
    parcel_of("r-1")
    delivery = Delivery.objects.get(handler=SORT)
    run(handler(nothing))
    (line,) = outcomes(told)
    assert (line["outcome"], line["attempt"], line["request_id"]) == ("done", 1, "r-1")
    assert (line["handler"], line["delivery"], line["subject"]) == (delivery.handler, delivery.id, delivery.subject)
    assert line["event_type"] == "parcel.packed.v1"
    assert line["milliseconds"] > 0
    assert "batch" not in line


@pytest.mark.parametrize(
    ("error", "outcome", "level"),
    [(ValueError("no luck"), "retry", "WARNING"), (PermanentError("bad data"), "dead", "ERROR")],
)
def test_one_that_fails(told: pytest.LogCaptureFixture, error: Exception, outcome: str, level: str) -> None:
    parcel_of("r-2")
    with suppress(Retry, PermanentError):
        run(raising(error))
    (line,) = outcomes(told)
    assert (line["outcome"], line["levelname"], line["request_id"]) == (outcome, level, "r-2")
    assert line["error"] == type(error).__name__
    assert str(error) in line["message"]


def test_a_copy_of_a_message(told: pytest.LogCaptureFixture) -> None:
    parcel_of("r-3")
    delivery_id, token = claimed()
    for _ in range(2):
        run_delivery(handler(nothing), {delivery_id: token}, worker="test")
    assert len(outcomes(told)) == 1
    assert f"{delivery_id}: stale" in told.text


def test_one_whose_worker_is_lost(told: pytest.LogCaptureFixture) -> None:
    parcel_of("r-4")
    delivery_id, token = claimed()
    start_one(delivery_id, token, worker="lost", lease=0)
    sweeps.expire_leases()
    (line,) = outcomes(told)
    assert (line["outcome"], line["delivery"], line["request_id"]) == ("lost", delivery_id, "r-4")


def test_one_that_another_worker_has_by_now(told: pytest.LogCaptureFixture) -> None:
    parcel_of("r-5")

    def lose_it(event: Any) -> None:
        Delivery.objects.filter(handler=ANNOUNCE).update(token=uuid4())

    run(handler(lose_it, ANNOUNCE, Shape.OUTSIDE))
    (line,) = outcomes(told)
    assert (line["outcome"], line["levelname"], line["request_id"]) == ("superseded", "WARNING", "r-5")


def test_a_message_that_is_lost_before_its_start(told: pytest.LogCaptureFixture) -> None:
    published(parcel_packed())
    claimed()
    Delivery.objects.filter(state="leased").update(lease_until=Now())
    assert sweeps.expire_leases() == 1
    assert outcomes(told) == []


DONE, FAILED = handler(nothing, many=True), handler(stumble, many=True)
LATE = handler(nothing, limits=Limits(lease=0))


@pytest.mark.parametrize(("batch", "outcome"), [(DONE, "done"), (FAILED, "to run alone"), (LATE, "postponed")])
def test_each_of_a_batch_under_its_own_request(told: pytest.LogCaptureFixture, batch: Handler, outcome: str) -> None:
    for number in range(SIZE):
        parcel_of(f"r-{number}")
    runner.run(batch, tokens(claims.claim("sorting", SIZE)), worker="test")
    lines = outcomes(told)
    assert sorted(line["request_id"] for line in lines) == [f"r-{number}" for number in range(SIZE)]
    assert {(line["outcome"], line["attempt"], line["batch"]) for line in lines} == {(outcome, 1, SIZE)}


@pytest.mark.parametrize(("size", "request_id"), [(1, "r-0"), (2, "")])
def test_what_several_cause_together_is_under_the_request_of_none(size: int, request_id: str) -> None:
    for number in range(size):
        parcel_of(f"r-{number}")
    seen: list[str] = []
    note_it = handler(lambda events: seen.append(current()), many=True)
    runner.run(note_it, tokens(claims.claim("sorting", size)), worker="test")
    assert seen == [request_id]
