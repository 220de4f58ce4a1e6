"""Each day is summed up once, when it is over and counted."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from analytics import summaries
from analytics.models import DailyProductSales, DailySales, DaySummary
from analytics.tasks import ask_for_summary
from events.models import Delivery, Event
from events.tests.helpers import published
from events.tests.servers import at_once
from testing.shop import order_created

pytestmark = pytest.mark.django_db
DAY = date(2025, 3, 1)
Clock = Callable[[datetime], None]


@pytest.fixture(autouse=True)
def somebody(settings: Any) -> None:
    settings.SUMMARY_TO = "boss@example.com"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    def set_to(moment: datetime) -> None:
        monkeypatch.setattr("analytics.summaries.now", lambda: moment)

    return set_to


def after_midnight(day: date = DAY, seconds: float = 600) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, seconds=seconds)


def told() -> list[str]:
    return [event.data["day"] for event in Event.objects.filter(type="sales.day_ended.v1").order_by("id")]


def test_a_day_is_told_with_its_figures_once_it_is_over(clock: Clock) -> None:
    DailySales.objects.create(day=DAY, currency="EUR", status="pending", orders=3, amount="30.00")
    for sku, quantity, amount in (("CUP", 2, "20.00"), ("POT", 3, "10.00")):
        DailyProductSales.objects.create(
            day=DAY, sku=sku, currency="EUR", status="pending", orders=1, quantity=quantity, amount=amount
        )
    clock(after_midnight())
    assert ask_for_summary() == [str(DAY)]
    event = Event.objects.get(type="sales.day_ended.v1", data__day=str(DAY))
    assert event.data["figures"] == [{"status": "pending", "currency": "EUR", "orders": 3, "amount": "30.00"}]
    assert [product["sku"] for product in event.data["products"]] == ["POT", "CUP"]
    assert Delivery.objects.get(event=event).handler == "notifications.send_sales_summary"


def test_each_day_is_told_once_however_often_it_is_tried(clock: Clock) -> None:
    for number in (0, 0, 1, 1):
        clock(after_midnight(DAY + timedelta(days=number)))
        ask_for_summary()
    assert told() == [str(DAY), str(DAY + timedelta(days=1))]


@pytest.mark.parametrize(("away", "days"), [(3, 3), (7, 7), (30, summaries.MOST_DAYS)])
def test_after_an_outage_the_last_days_are_told_the_oldest_first(clock: Clock, away: int, days: int) -> None:
    clock(after_midnight())
    ask_for_summary()
    clock(after_midnight(DAY + timedelta(days=away)))
    assert ask_for_summary() == [str(DAY + timedelta(days=number)) for number in range(away - days + 1, away + 1)]


def test_a_day_is_not_over_while_a_transaction_may_still_write_of_it(clock: Clock) -> None:
    clock(after_midnight(seconds=30))
    assert ask_for_summary() == [str(DAY - timedelta(days=1))]
    clock(after_midnight(seconds=120))
    assert ask_for_summary() == [str(DAY)]


def test_a_day_waits_until_all_of_it_is_counted(clock: Clock) -> None:
    published(order_created())
    today = datetime.now(UTC).date()
    clock(after_midnight(today))
    assert ask_for_summary() == []
    Delivery.objects.filter(handler="analytics.track_order").update(state="done", handled_at=datetime.now(UTC))
    assert ask_for_summary() == [str(today)]


def test_where_nobody_is_to_be_told_nothing_is_written(clock: Clock, settings: Any) -> None:
    settings.SUMMARY_TO = ""
    clock(after_midnight())
    assert ask_for_summary() == []
    assert not DaySummary.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_tell_each_day_once(clock: Clock) -> None:
    clock(after_midnight())
    days = at_once(4, lambda _: ask_for_summary())
    assert sum(map(len, days)) == len(told()) == 1
