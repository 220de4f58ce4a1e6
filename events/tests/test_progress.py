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
from events.tests.helpers import claimed, due_since, order_cancelled, order_created, published, start_one

pytestmark = pytest.mark.django_db(transaction=True)
REFUSING = "redis://127.0.0.1:1/0"  # nothing listens on port 1


def inventory() -> int:
    """In tens of seconds: the test takes some time itself."""
    return int(oldest_due().get("inventory", 0.0) // 10)


def test_the_oldest_that_is_due_tells_the_age() -> None:
    assert oldest_due() == {}
    published(order_created())
    published(order_created())
    due_since(30, pk=Delivery.objects.filter(queue="inventory").order_by("id")[0].pk)
    assert inventory() == 3


def test_what_is_parked_or_backs_off_is_not_due() -> None:
    published(order_created())
    published(order_created())
    first, second = Delivery.objects.filter(queue="inventory")
    due_since(-30, pk=first.pk)
    Delivery.objects.filter(pk=second.pk).update(due_at=None)
    assert inventory() == 0


def test_what_waits_for_an_earlier_one_that_runs_is_not_stuck() -> None:
    order_id = uuid4()
    published(order_created(order_id), order_cancelled(order_id))
    assert start_one(*claimed(), worker="w", lease=30)
    due_since(90, queue="inventory")
    assert inventory() == 0


def test_what_was_sent_and_nobody_started_is_as_old_as_before() -> None:
    published(order_created())
    due_since(90, queue="inventory")
    claimed()
    assert inventory() == 9


def test_every_queue_tells_its_backlog_and_its_dead_letters() -> None:
    published(order_created())
    published(order_created())
    Delivery.objects.filter(queue="analytics").update(
        state="dead", reason="permanent_error", due_at=None, handled_at=Now()
    )
    states = queue_states()
    assert set(states) == {"inventory", "orders", "notifications", "analytics", "reports"}
    assert (states["inventory"].backlog, states["inventory"].dead) == (2, 0)
    assert (states["analytics"].backlog, states["analytics"].dead) == (0, 2)
    assert states["orders"] == progress.QueueState(oldest_due=0.0, backlog=0, dead=0, unsent=0.0)


@pytest.mark.parametrize("due_at", ["NULL", "now() - interval '1 hour'"], ids=["parked", "due"])
def test_it_is_cheap_with_twenty_thousand_waiting(due_at: str) -> None:
    """By the plan, not by the clock: it reads the partial index and no more rows than it may."""
    (event_id,) = published(order_created())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM events_delivery")
        cursor.execute(
            f"""INSERT INTO events_delivery (id, event_id, event_type, subject, sequence, handler, consumer, queue,
                lease_seconds, max_attempts, dead_holds, state, due_at)
            SELECT gen_random_uuid(), '{event_id}', 't', gen_random_uuid(), 1, 'h' || n, 'inventory', 'inventory', 30,
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
    assert (inventory() == 0) if due_at == "NULL" else (inventory() >= 360)


def test_it_tells_the_beginning_each_minute_and_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "events.relaying.watchdog")
    watchdog = Watchdog()

    def told(now: float, **ages: float) -> list[str]:
        caplog.clear()
        watchdog.report(ages, now)
        return sorted(f"{record.levelname} {record.message.split()[0]}" for record in caplog.records)

    assert told(1_000, inventory=59, orders=1) == []
    assert told(1_005, inventory=61, orders=1) == ["WARNING inventory"]
    assert told(1_010, inventory=66, orders=61) == ["WARNING orders"]
    assert told(1_005 + REMIND_EVERY, inventory=121, orders=116) == ["WARNING inventory"]
    assert told(1_070, inventory=2) == ["INFO inventory", "INFO orders"]
    assert told(1_075) == []


def test_it_tells_while_the_broker_is_away(caplog: pytest.LogCaptureFixture) -> None:
    published(order_created())
    due_since(90)
    with pytest.raises((BrokerError, OSError)):
        Relay(Sender(Celery(broker=REFUSING))).turn()
    assert "inventory does not move: a delivery has been due for 9" in caplog.text
