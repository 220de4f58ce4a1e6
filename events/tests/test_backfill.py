from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from events import backfill as module
from events.backfill import NotSubscribed, backfill, count_past
from events.models import Delivery, Event
from events.tests.helpers import order_cancelled, order_created, published

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


def test_what_was_done_and_purged_is_not_done_again() -> None:
    published(order_created())
    Delivery.objects.filter(handler="analytics.track_order").delete()
    Event.objects.update(time="2020-01-01T00:00:00Z")
    assert made("analytics.track_order") == 0
    assert made("analytics.track_order", from_the_beginning=True) == 1


def test_what_would_wait_behind_a_dead_letter_is_parked() -> None:
    order_id = uuid4()
    published(order_created(order_id), order_cancelled(order_id))
    Delivery.objects.filter(handler="inventory.release_items").delete()
    Delivery.objects.filter(handler="inventory.reserve_items").update(
        state="dead", reason="permanent_error", handled_at=Now()
    )
    assert made("inventory.release_items") == 1
    assert Delivery.objects.get(handler="inventory.release_items").due_at is None
