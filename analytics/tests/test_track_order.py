from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from analytics.models import DailyProductSales, DailySales
from analytics.tasks import track_order
from events.tests.helpers import received
from events.tests.servers import at_once
from eventtypes.orders import (
    REACHED,
    Line,
    OrderCancelledV1,
    OrderConfirmedV1,
    OrderCreatedV1,
    OrderData,
    OrderFulfilledV1,
    OrderRejectedV1,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
DAY = date(2025, 3, 1)


def facts(currency: str = "EUR", **quantities: int) -> dict[str, Any]:
    """An order of things that cost 2.50 each."""
    price = Decimal("2.50")
    lines = [Line(sku=s, name=s, quantity=q, unit_price=price, line_total=q * price) for s, q in quantities.items()]
    return {
        "order_id": uuid4(),
        "number": "O-1",
        "user_id": uuid4(),
        "currency": currency,
        "total": sum((line.line_total for line in lines), Decimal(0)),
        "items": tuple(lines),
    }


def track(data: OrderData, time: datetime = NOON) -> None:
    track_order(received(data, time=time))


def sales() -> set[tuple[Any, ...]]:
    return set(DailySales.objects.values_list("day", "currency", "status", "orders", "amount"))


def product_sales() -> set[tuple[Any, ...]]:
    return set(DailyProductSales.objects.values_list("day", "sku", "status", "quantity", "amount"))


def orders_with(sku: str) -> int:
    return DailyProductSales.objects.get(sku=sku).orders


def test_an_order_is_counted_with_its_lines() -> None:
    track(OrderCreatedV1(**facts(CUP=2, POT=1)))
    assert sales() == {(DAY, "EUR", "pending", 1, Decimal("7.50"))}
    assert product_sales() == {
        (DAY, "CUP", "pending", 2, Decimal("5.00")),
        (DAY, "POT", "pending", 1, Decimal("2.50")),
    }


def test_an_order_that_was_edited_to_have_no_lines_is_counted_too() -> None:
    track(OrderCreatedV1(**facts()))
    assert sales() == {(DAY, "EUR", "pending", 1, Decimal(0))}
    assert product_sales() == set()


def test_orders_of_a_day_add_up() -> None:
    for _ in range(3):
        track(OrderCreatedV1(**facts(CUP=2)))
    assert sales() == {(DAY, "EUR", "pending", 3, Decimal("15.00"))}
    assert product_sales() == {(DAY, "CUP", "pending", 6, Decimal("15.00"))}
    assert orders_with("CUP") == 3


@pytest.mark.parametrize(
    ("kind", "more", "status"),
    [
        (OrderCreatedV1, {}, "pending"),
        (OrderConfirmedV1, {}, "confirmed"),
        (OrderRejectedV1, {"reason": "short"}, "rejected"),
        (OrderCancelledV1, {"reason": "staff"}, "cancelled"),
        (OrderFulfilledV1, {}, "fulfilled"),
    ],
)
def test_each_event_counts_for_the_status_that_it_tells_of(
    kind: type[OrderData], more: dict[str, Any], status: str
) -> None:
    track(kind(**facts(CUP=1), **more))
    assert {row[2] for row in sales()} == {row[2] for row in product_sales()} == {status}
    assert REACHED[status] is kind


def test_days_and_currencies_are_counted_apart() -> None:
    track(OrderCreatedV1(**facts(CUP=1)))
    track(OrderCreatedV1(**facts(CUP=1)), NOON + timedelta(days=1))
    track(OrderCreatedV1(**facts("CHF", CUP=1)))
    assert {row[:2] for row in sales()} == {(DAY, "EUR"), (DAY, "CHF"), (DAY + timedelta(days=1), "EUR")}


def test_the_day_is_that_of_the_event_in_utc() -> None:
    late = datetime(2025, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    track(OrderCreatedV1(**facts(CUP=1)), late)
    assert {row[0] for row in sales()} == {date(2025, 3, 2)}


def test_the_order_in_which_events_come_does_not_matter() -> None:
    data = facts(CUP=2)
    events = [OrderCreatedV1(**data), OrderConfirmedV1(**data), OrderFulfilledV1(**data)]
    for event in events:
        track(event)
    forwards = (sales(), product_sales())
    DailySales.objects.all().delete()
    DailyProductSales.objects.all().delete()
    for event in reversed(events):
        track(event)
    assert (sales(), product_sales()) == forwards


def test_a_day_of_the_dearest_orders_is_no_error() -> None:
    data = facts(CUP=1) | {"total": Decimal("9999999999000.00")}
    for _ in range(20):
        track(OrderCreatedV1(**data))
    assert DailySales.objects.get().amount == 20 * Decimal("9999999999000.00")


@pytest.mark.django_db(transaction=True)
def test_no_order_is_lost_when_many_are_counted_at_once_and_none_waits_for_ever() -> None:
    orders = [facts(CUP=1, POT=2, TIN=3), facts(TIN=3, POT=2, CUP=1)]

    def count(number: int) -> None:
        track(OrderCreatedV1(**orders[number % 2]))

    at_once(60, count)
    assert sales() == {(DAY, "EUR", "pending", 60, Decimal("900.00"))}
    assert {row[1]: row[3] for row in product_sales()} == {"CUP": 60, "POT": 120, "TIN": 180}


def test_a_batch_counts_what_one_by_one_would() -> None:
    day_before = NOON - timedelta(days=1)
    track_order(
        received(OrderCreatedV1(**facts(CUP=2, POT=1)), time=NOON),
        received(OrderCreatedV1(**facts(CUP=3)), time=NOON),
        received(OrderCreatedV1(**facts(CUP=4)), time=day_before),
        received(OrderConfirmedV1(**facts("USD", CUP=5)), time=NOON),
    )
    track_order(received(OrderCreatedV1(**facts(POT=1)), time=NOON))
    sales = DailySales.objects.order_by("day", "status").values_list("day", "currency", "status", "orders", "amount")
    assert list(sales) == [
        (day_before.date(), "EUR", "pending", 1, Decimal(10)),
        (DAY, "USD", "confirmed", 1, Decimal("12.5")),
        (DAY, "EUR", "pending", 3, Decimal("17.5")),
    ]
    pieces = DailyProductSales.objects.filter(day=DAY, status="pending").order_by("sku")
    assert list(pieces.values_list("sku", "quantity", "amount")) == [
        ("CUP", 5, Decimal("12.5")),
        ("POT", 2, Decimal(5)),
    ]
