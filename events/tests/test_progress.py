import logging
from uuid import uuid4

import pytest
from celery import Celery
from django.db import connection
from django.db.models.functions import Now
from kombu.exceptions import OperationalError as BrokerError

from events import floors
from events.models import Delivery
from events.relaying.relay import Relay
from events.relaying.sender import Sender
from events.relaying.watchdog import REMIND_EVERY, Watchdog
from events.statistics import progress
from events.statistics.progress import oldest_due, queue_states
from events.tests.helpers import claimed, due_since, published, start_one
from events.tests.parcels import parcel_lost, parcel_packed
from events.tests.servers import REFUSING

pytestmark = pytest.mark.django_db(transaction=True)


def age_of_sorting() -> int:
    """In tens of seconds: the test takes some time itself."""
    return int(oldest_due().get("sorting", 0.0) // 10)


def test_the_oldest_that_is_due_tells_the_age() -> None:
    assert oldest_due() == {}
    published(parcel_packed())
    published(parcel_packed())
    due_since(30, pk=Delivery.objects.filter(queue="sorting").order_by("id")[0].pk)
    assert age_of_sorting() == 3


def test_what_is_parked_or_backs_off_is_not_due() -> None:
    published(parcel_packed())
    published(parcel_packed())
    first, second = Delivery.objects.filter(queue="sorting")
    due_since(-30, pk=first.pk)
    Delivery.objects.filter(pk=second.pk).update(due_at=None)
    assert age_of_sorting() == 0


def test_what_waits_for_an_earlier_one_that_runs_is_not_stuck() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id), parcel_lost(parcel_id))
    assert start_one(*claimed(), worker="w", lease=30)
    due_since(90, queue="sorting")
    assert age_of_sorting() == 0


def test_what_was_sent_and_nobody_started_is_as_old_as_before() -> None:
    published(parcel_packed())
    due_since(90, queue="sorting")
    claimed()
    assert age_of_sorting() == 9


def test_every_queue_tells_its_backlog_and_its_dead_letters() -> None:
    published(parcel_packed())
    published(parcel_packed())
    Delivery.objects.filter(queue="counting").update(
        state="dead", reason="permanent_error", due_at=None, handled_at=Now()
    )
    states = queue_states()
    assert set(states) == {"sorting", "delivery", "letters", "counting", "customs"}
    assert (states["sorting"].backlog, states["sorting"].dead) == (2, 0)
    assert (states["counting"].backlog, states["counting"].dead) == (0, 2)
    assert states["delivery"] == progress.QueueState(oldest_due=0.0, backlog=0, dead=0, unsent=0.0)


@pytest.mark.parametrize("due_at", ["NULL", "now() - interval '1 hour'"], ids=["parked", "due"])
def test_it_is_cheap_with_twenty_thousand_waiting(due_at: str) -> None:
    """By the plan, not by the clock: it reads the partial index and no more rows than it may."""
    (event_id,) = published(parcel_packed())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_delivery")
        cursor.execute(
            f"""INSERT INTO events_delivery (id, event_id, event_type, subject, sequence, handler, consumer, queue,
                lease_seconds, max_attempts, dead_holds, state, due_at)
            SELECT gen_random_uuid(), '{event_id}', 't', gen_random_uuid(), 1, 'h' || n, 'sorting', 'sorting', 30,
                10, true, 'pending', {due_at} FROM generate_series(1, 20000) n"""
        )
        cursor.execute("VACUUM ANALYZE events_delivery")
        cursor.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {progress._UNSENT}",
            floors.parameters(floors.unknown()) | {"rows": progress.OLDEST},
        )
        plan = cursor.fetchone()[0][0]["Plan"]
        assert "delivery_due" in str(plan)
        assert "Seq Scan" not in str(plan)
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 10 * progress.OLDEST
    assert (age_of_sorting() == 0) if due_at == "NULL" else (age_of_sorting() >= 360)


def test_it_tells_the_beginning_each_minute_and_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "events.relaying.watchdog")
    watchdog = Watchdog()

    def told(now: float, **ages: float) -> list[str]:
        caplog.clear()
        watchdog.report(ages, now)
        return sorted(f"{record.levelname} {record.message.split()[0]}" for record in caplog.records)

    assert told(1_000, sorting=59, delivery=1) == []
    assert told(1_005, sorting=61, delivery=1) == ["WARNING sorting"]
    assert told(1_010, sorting=66, delivery=61) == ["WARNING delivery"]
    assert told(1_005 + REMIND_EVERY, sorting=121, delivery=116) == ["WARNING sorting"]
    assert told(1_070, sorting=2) == ["INFO delivery", "INFO sorting"]
    assert told(1_075) == []


def test_it_tells_while_the_broker_is_away(caplog: pytest.LogCaptureFixture) -> None:
    published(parcel_packed())
    due_since(90)
    with pytest.raises((BrokerError, OSError)):
        Relay(Sender(Celery(broker=REFUSING))).turn()
    assert "sorting does not move: a delivery has been due for 9" in caplog.text
