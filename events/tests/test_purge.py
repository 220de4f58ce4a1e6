import pytest
from django.db import connection

from events import purge as module
from events.models import Decision, Delivery, Event
from events.purge import purge_done
from events.tests.helpers import order_created, published

pytestmark = pytest.mark.django_db(transaction=True)


def age(days: int, **filters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - make_interval(days => %s)", [days])
        row = cursor.fetchone()
    Delivery.objects.filter(**filters).update(state="done", handled_at=row[0])


def test_it_deletes_what_was_done_long_ago_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    for _ in range(3):
        published(order_created())
    age(91, consumer="inventory")
    age(89, consumer="analytics")
    assert purge_done(older_than_days=90) == 3
    left = set(Delivery.objects.values_list("consumer", "state"))
    assert left == {("analytics", "done"), ("notifications", "pending")}
    assert Event.objects.count() == 3


def test_a_dead_letter_is_kept_however_old_it_is() -> None:
    published(order_created())
    Delivery.objects.update(state="dead", reason="permanent_error", handled_at="2020-01-01T00:00:00Z")
    assert purge_done(older_than_days=90) == 0
    assert Delivery.objects.count() == 3


def test_it_deletes_a_replayed_letter_with_the_decisions_about_it() -> None:
    published(order_created())
    for delivery in Delivery.objects.all():
        Decision.objects.create(delivery=delivery, action="replay", by="ann")
    age(91)
    assert purge_done(older_than_days=90) == 3
    assert not Decision.objects.exists()
