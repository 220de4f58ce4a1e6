import threading
from datetime import timedelta
from importlib import import_module
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models.functions import Now

from events import backfill as module
from events.backfill import NotSubscribed, backfill, count_past
from events.models import Delivery, Event, PurgeMark
from events.purge import purge_final, purged_until
from events.tests.helpers import order_cancelled, order_created, published, waiting_for_locks
from events.tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


def made(handler: str, **how: bool) -> int:
    return sum(step.made for step in backfill(handler, **how))


def test_a_new_handler_gets_what_it_missed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    for _ in range(5):
        data = order_created()
        published(data, order_cancelled(data.order_id))
    assert count_past("analytics.track_order") == 10
    before = set(Delivery.objects.filter(handler="analytics.track_order").values_list("event_id", "handler"))
    Delivery.objects.filter(handler="analytics.track_order").delete()
    assert made("analytics.track_order") == 10
    after = Delivery.objects.filter(handler="analytics.track_order")
    assert set(after.values_list("event_id", "handler")) == before
    assert {(d.state, d.queue, d.attempts) for d in after} == {("pending", "analytics", 0)}
    assert made("analytics.track_order") == 0


def test_a_handler_that_is_subscribed_to_nothing_is_refused() -> None:
    with pytest.raises(NotSubscribed):
        list(backfill("analytics.unheard_of"))
    with pytest.raises(CommandError, match="subscribed to no event"):
        call_command("events", "backfill", "analytics.unheard_of")


def test_the_command_tells_how_many_it_made() -> None:
    published(order_created())
    Delivery.objects.all().delete()
    out = StringIO()
    call_command("events", "backfill", "inventory.reserve_items", stdout=out)
    assert "done: 1 deliveries made for inventory.reserve_items" in out.getvalue()


def test_what_is_published_meanwhile_is_neither_missed_nor_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1)
    published(order_created(), order_created())
    Delivery.objects.filter(handler="analytics.track_order").delete()
    steps = backfill("analytics.track_order")
    assert next(steps) == (1, 1)
    published(order_created())
    assert list(steps) == [(1, 1), (1, 0)]
    assert Delivery.objects.filter(handler="analytics.track_order").count() == 3


def done(days: int) -> None:
    """Publish an order of so many days ago, which was handled at once."""
    (event_id,) = published(order_created())
    past = Now() - timedelta(days=days)
    Event.objects.filter(pk=event_id).update(time=past)
    Delivery.objects.filter(event_id=event_id).update(state="done", due_at=None, handled_at=past)


def test_what_was_done_and_purged_is_not_done_again_whatever_is_set_later() -> None:
    for days in (30, 50, 120):
        done(days)
    Delivery.objects.filter(handler="analytics.track_order").exclude(event__in=oldest(2)).delete()  # it was missed
    assert purge_final(older_than_days=40) == 6
    assert purge_final(older_than_days=90) == 0
    assert made("analytics.track_order") == 1
    assert made("analytics.track_order", from_the_beginning=True) == 2


def oldest(count: int) -> list[Event]:
    return list(Event.objects.order_by("time")[:count])


def test_an_event_that_was_missed_before_anything_was_purged_is_found_however_old() -> None:
    done(5_000)
    Delivery.objects.filter(handler="analytics.track_order").delete()
    assert made("analytics.track_order") == 1


def test_the_command_tells_what_it_left_out() -> None:
    done(120)
    purge_final(older_than_days=90)
    assert "were left out" in command()
    assert "were left out" not in command("--from-the-beginning")


def command(*options: str) -> str:
    out = StringIO()
    call_command("events", "backfill", "analytics.track_order", *options, stdout=out)
    return out.getvalue()


def test_a_purge_that_is_just_committing_is_waited_for() -> None:
    """Else the backfill saw the delivery that goes, and no mark, and made it anew once it was gone."""
    done(120)
    counts: list[int] = []

    def other() -> None:
        counts.append(made("analytics.track_order"))
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
    published(order_created())
    Delivery.objects.filter(handler="analytics.track_order").delete()
    assert made("analytics.track_order") == 1


def test_after_an_upgrade_without_any_done_delivery_everything_may_have_been_purged() -> None:
    done(1)
    purge_final(older_than_days=0)
    upgrade()
    assert made("analytics.track_order") == 0


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
    order_id = uuid4()
    published(order_created(order_id), order_cancelled(order_id))
    Delivery.objects.filter(handler="inventory.release_items").delete()
    Delivery.objects.filter(handler="inventory.reserve_items").update(
        state="dead", reason="permanent_error", handled_at=Now()
    )
    assert made("inventory.release_items") == 1
    assert Delivery.objects.get(handler="inventory.release_items").due_at is None
