"""The database turns read-only: nothing is counted, nothing dies, and all goes on when it takes writes again."""

import logging
import threading
from collections.abc import Iterator

import pytest
from celery import Celery
from celery.exceptions import Retry
from django.db import connection

from events.handling import outcomes, runner
from events.policy import Limits
from events.relaying.relay import Relay
from events.relaying.sender import Sender
from events.tests.helpers import SORT, claimed, handler, let_the_lease_run_out, nothing, only, published, start_one
from events.tests.parcels import parcel_packed
from events.tests.servers import broker_url, read_only_database
from events.tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def relay(broker: object, caplog: pytest.LogCaptureFixture) -> Iterator[Relay]:
    """A relay that runs in a thread until the test ends."""
    caplog.set_level(logging.WARNING)
    relay = Relay(Sender(Celery(broker=broker_url())))

    def run() -> None:
        try:
            relay.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield relay
    relay.stop()
    thread.join()


def state() -> tuple[str, int, int]:
    delivery = only(handler=SORT)
    return delivery.state, delivery.attempts, delivery.waits


def refusals(caplog: pytest.LogCaptureFixture) -> int:
    return sum("read-only" in text and "; trying again" in text for text in caplog.messages)


def test_a_delivery_is_not_started_and_not_counted() -> None:
    published(parcel_packed())
    sent = claimed()
    with read_only_database(), pytest.raises(Retry):
        runner.run(handler(nothing), dict([sent]), worker="test")
    assert state() == ("leased", 0, 0)
    assert runner.run(handler(nothing), dict([sent]), worker="test") == "done at attempt 1"


def test_an_attempt_that_the_refusal_cut_off_is_taken_back(
    relay: Relay, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker gives up before the database takes writes again, so its lease runs out."""
    published(parcel_packed())
    until("it is sent", lambda: state()[0] == "leased")
    delivery = only(handler=SORT)
    assert delivery.token
    started = start_one(delivery.id, delivery.token, worker="test", lease=30)
    assert started
    monkeypatch.setattr(Limits, "soft", 0.0)
    with read_only_database():
        with pytest.raises(Retry):
            outcomes.fail(handler(nothing), started, ValueError("a bug"))
        until("the relay has met it", lambda: refusals(caplog) >= 2)
    let_the_lease_run_out()
    until("it is sent again", lambda: state() == ("leased", 0, 1))


def test_the_relay_says_so_in_a_line_each_time_and_waits_longer_and_longer(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is due. Reading still works, so a relay that only read would think that all was well."""
    with read_only_database():
        until("it has met it three times", lambda: refusals(caplog) >= 3)
    told = [text for text in caplog.messages if "read-only" in text]
    pauses = [text.partition("; ")[2] for text in told if "; " in text]
    assert pauses[:3] == [f"trying again in {pause} s" for pause in (0.2, 0.5, 1.0)]
    assert all("\n" not in text for text in told)
    assert not any(record.exc_info for record in caplog.records)
    published(parcel_packed())
    until("it sends again", lambda: state()[0] == "leased", seconds=5)
