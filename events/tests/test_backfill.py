import threading
from datetime import timedelta
from importlib import import_module
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.db import connection, transaction
from django.db.models.functions import Now

from events import backfill as module
from events.backfill import NotSubscribed, backfill, count_past
from events.models import Delivery, Event, PurgeMark
from events.purge import purge_final, purged_until
from events.tests.helpers import SORT, command, published
from events.tests.parcels import parcel_lost, parcel_packed
from events.tests.servers import waiting_for_locks
from events.tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


def made(handler: str, **how: bool) -> int:
    return sum(step.made for step in backfill(handler, **how))


def test_a_new_handler_gets_what_it_missed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    for _ in range(5):
        data = parcel_packed()
        published(data, parcel_lost(data.parcel_id))
    assert count_past("counting.count") == 10
    before = set(Delivery.objects.filter(handler="counting.count").values_list("event_id", "handler"))
    Delivery.objects.filter(handler="counting.count").delete()
    assert made("counting.count") == 10
    after = Delivery.objects.filter(handler="counting.count")
    assert set(after.values_list("event_id", "handler")) == before
    assert {(d.state, d.queue, d.attempts) for d in after} == {("pending", "counting", 0)}
    assert made("counting.count") == 0


def test_a_handler_that_is_subscribed_to_nothing_is_refused() -> None:
    with pytest.raises(NotSubscribed):
        list(backfill("counting.unheard_of"))
    with pytest.raises(CommandError, match="subscribed to no event"):
        command("events", "backfill", "counting.unheard_of")


def test_the_command_tells_how_many_it_made() -> None:
    published(parcel_packed())
    Delivery.objects.all().delete()
    assert "done: 1 deliveries made for sorting.sort_parcel" in command("events", "backfill", SORT)


def test_what_is_published_meanwhile_is_neither_missed_nor_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1)
    published(parcel_packed(), parcel_packed())
    Delivery.objects.filter(handler="counting.count").delete()
    steps = backfill("counting.count")
    assert next(steps) == (1, 1)
    published(parcel_packed())
    assert list(steps) == [(1, 1), (1, 0)]
    assert Delivery.objects.filter(handler="counting.count").count() == 3


def done(days: int) -> None:
    """Publish about a parcel of so many days ago, which was handled at once."""
    (event_id,) = published(parcel_packed())
    past = Now() - timedelta(days=days)
    Event.objects.filter(pk=event_id).update(time=past)
    Delivery.objects.filter(event_id=event_id).update(state="done", due_at=None, handled_at=past)


def test_what_was_done_and_purged_is_not_done_again_whatever_is_set_later() -> None:
    for days in (30, 50, 120):
        done(days)
    Delivery.objects.filter(handler="counting.count").exclude(event__in=oldest(2)).delete()  # it was missed
    assert purge_final(older_than_days=40) == 6
    assert purge_final(older_than_days=90) == 0
    assert made("counting.count") == 1
    assert made("counting.count", from_the_beginning=True) == 2


def oldest(count: int) -> list[Event]:
    return list(Event.objects.order_by("time")[:count])


def test_an_event_that_was_missed_before_anything_was_purged_is_found_however_old() -> None:
    done(5_000)
    Delivery.objects.filter(handler="counting.count").delete()
    assert made("counting.count") == 1


def test_the_command_tells_what_it_left_out() -> None:
    done(120)
    purge_final(older_than_days=90)
    assert "were left out" in command("events", "backfill", "counting.count")
    assert "were left out" not in command("events", "backfill", "counting.count", "--from-the-beginning")


def test_a_purge_that_is_just_committing_is_waited_for() -> None:
    """Else the backfill saw the delivery that goes, and no mark, and made it anew once it was gone."""
    done(120)
    counts: list[int] = []

    def other() -> None:
        counts.append(made("counting.count"))
        connection.close()

    thread = threading.Thread(target=other)
    with transaction.atomic():
        assert purge_final(older_than_days=90) == 3
        thread.start()
        until("the backfill waits", waiting_for_locks)
    thread.join(10)
    assert counts == [0]


MARK = import_module("events.migrations.0012_purge_marks").MARK


def upgrade() -> None:
    """As when a database gets its purge marks that was purged for years without."""
    PurgeMark.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(MARK)


def test_after_an_upgrade_what_may_have_been_purged_is_left_out() -> None:
    for days in (10, 50, 120):
        done(days)
    purge_final(older_than_days=40)
    upgrade()
    marked = purged_until(PurgeMark.What.DELIVERIES)
    assert marked is not None
    assert [event.time > marked for event in oldest(3)] == [False, False, False]
    published(parcel_packed())
    Delivery.objects.filter(handler="counting.count").delete()
    assert made("counting.count") == 1


def test_after_an_upgrade_without_any_done_delivery_everything_may_have_been_purged() -> None:
    done(1)
    purge_final(older_than_days=0)
    upgrade()
    assert made("counting.count") == 0


def test_an_upgrade_tells_whether_events_are_purged_by_the_counters_that_stay() -> None:
    done(1)
    upgrade()
    assert purged_until(PurgeMark.What.EVENTS) is None
    Delivery.objects.all().delete()
    Event.objects.all().delete()
    upgrade()
    assert purged_until(PurgeMark.What.EVENTS) is not None


def test_an_empty_database_is_marked_by_no_upgrade() -> None:
    upgrade()
    assert not PurgeMark.objects.exists()


def test_what_would_wait_behind_a_dead_letter_is_parked() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id), parcel_lost(parcel_id))
    Delivery.objects.filter(handler="sorting.take_out").delete()
    Delivery.objects.filter(handler=SORT).update(state="dead", reason="permanent_error", handled_at=Now())
    assert made("sorting.take_out") == 1
    assert Delivery.objects.get(handler="sorting.take_out").due_at is None
