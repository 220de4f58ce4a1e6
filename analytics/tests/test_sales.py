from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from analytics import views
from analytics.models import DailyProductSales, DailySales
from testing.api import body, check_problem, client_of, make_user, pointers

pytestmark = pytest.mark.django_db
URL = "/api/v1/analytics/sales"


def ask(**query: str) -> Any:
    """As `from` is Python's own word, it is asked for as `start`."""
    if "start" in query:
        query["from"] = query.pop("start")
    return client_of(make_user(superuser=True)).get(f"{URL}?{urlencode(query)}")


def add(day: date, status: str = "pending", currency: str = "EUR") -> None:
    DailySales.objects.create(day=day, status=status, currency=currency, orders=2, amount=Decimal("7.50"))


def test_staff_see_the_figures_of_a_period_with_both_its_ends() -> None:
    for day in (27, 28):
        add(date(2025, 2, day))
    add(date(2025, 3, 1), "confirmed")
    add(date(2025, 3, 2))
    answer = ask(start="2025-02-28", to="2025-03-01", interval="day")
    assert answer.status_code == 200
    assert body(answer) == {
        "results": [
            {"day": "2025-02-28", "status": "pending", "currency": "EUR", "orders": 2, "amount": "7.50"},
            {"day": "2025-03-01", "status": "confirmed", "currency": "EUR", "orders": 2, "amount": "7.50"},
        ]
    }


def test_the_figures_come_in_order() -> None:
    day = date(2025, 3, 1)
    for status, currency in (("rejected", "EUR"), ("pending", "EUR"), ("pending", "CHF")):
        add(day, status, currency)
    told = body(ask(start="2025-03-01", to="2025-03-01"))["results"]
    assert [(row["currency"], row["status"]) for row in told] == [
        ("CHF", "pending"),
        ("EUR", "pending"),
        ("EUR", "rejected"),
    ]


@pytest.mark.parametrize(
    ("start", "to"),
    [
        ("0001-01-01", "0001-12-31"),
        ("9999-12-31", "9999-12-31"),
        ("2024-01-01", "2024-12-31"),
        ("2024-02-29", "2024-02-29"),
    ],
)
def test_a_period_at_the_ends_of_the_calendar_is_empty_and_no_error(start: str, to: str) -> None:
    assert body(ask(start=start, to=to)) == {"results": []}


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({}, ["/from", "/to"]),
        ({"start": "2025-01-01"}, ["/to"]),
        ({"to": "2025-01-01"}, ["/from"]),
        ({"start": "yesterday", "to": "2025-01-01"}, ["/from"]),
        ({"start": "2025-02-29", "to": "2025-03-01"}, ["/from"]),
        ({"start": "2025-01-01T00:00:00Z", "to": "2025-03-01"}, ["/from"]),
        ({"start": "0000-01-01", "to": "2025-03-01"}, ["/from"]),
        ({"start": "2025-01-02", "to": "2025-01-01"}, ["/to"]),
        ({"start": "2024-01-01", "to": "2025-01-02"}, ["/to"]),
        ({"start": "0001-01-01", "to": "9999-12-31"}, ["/to"]),
        ({"start": "2025-01-01", "to": "2025-01-01", "interval": "year"}, ["/interval"]),
        ({"start": "2025-01-01", "to": "2025-01-01", "group": "user"}, ["/group"]),
        ({"start": "2025-01-01", "to": "2025-01-01", "status": "paid"}, ["/status"]),
        ({"start": "2025-01-01", "to": "2025-01-01", "sku": "CUP"}, ["/sku"]),
        ({"start": "\0", "to": "2025-01-01"}, ["/from"]),
    ],
)
def test_a_period_that_cannot_be_is_refused_by_its_pointer(query: dict[str, str], where: list[str]) -> None:
    assert pointers(ask(**query)) == where


def test_customers_do_not_see_the_figures() -> None:
    query = "?from=2025-01-01&to=2025-01-01"
    check_problem(client_of(make_user("ada")).get(URL + query), 403, "permission_denied")
    check_problem(client_of().get(URL + query), 401, "not_authenticated")


def of_product(day: date, sku: str, status: str = "pending", pieces: int = 3) -> None:
    DailyProductSales.objects.create(
        day=day, sku=sku, status=status, currency="EUR", orders=1, quantity=pieces, amount=Decimal("5.00")
    )


@pytest.mark.parametrize(
    ("interval", "firsts"),
    [("week", ["2025-02-24", "2025-03-03"]), ("month", ["2025-02-01", "2025-03-01"])],
)
def test_days_add_up_to_weeks_and_months(interval: str, firsts: list[str]) -> None:
    for day in (date(2025, 2, 27), date(2025, 2, 28), date(2025, 3, 3)):
        add(day)
    told = body(ask(start="2025-02-01", to="2025-03-31", interval=interval))["results"]
    assert [(row["day"], row["orders"], row["amount"]) for row in told] == [
        (firsts[0], 4, "15.00"),
        (firsts[1], 2, "7.50"),
    ]


def test_a_week_that_the_period_cuts_has_the_days_within_it() -> None:
    for day in (date(2025, 2, 24), date(2025, 2, 28)):
        add(day)
    (row,) = body(ask(start="2025-02-25", to="2025-02-28", interval="week"))["results"]
    assert (row["day"], row["orders"]) == ("2025-02-24", 2)


def test_figures_are_of_one_status_where_that_is_asked() -> None:
    for status in ("pending", "confirmed"):
        add(date(2025, 3, 1), status)
    told = body(ask(start="2025-03-01", to="2025-03-01", status="confirmed"))["results"]
    assert [row["status"] for row in told] == ["confirmed"]


def test_products_have_figures_of_their_own() -> None:
    for day in (1, 2):
        of_product(date(2025, 3, day), "CUP")
    of_product(date(2025, 3, 1), "POT", "confirmed")
    staff = client_of(make_user(superuser=True))
    march = f"{URL}?from=2025-03-01&to=2025-03-31&group=product"
    told = body(staff.get(f"{march}&interval=month"))["results"]
    cup = {"day": "2025-03-01", "status": "pending", "currency": "EUR", "orders": 2, "amount": "10.00", "sku": "CUP"}
    assert told[0] == cup | {"quantity": 6}
    assert [row["sku"] for row in told] == ["CUP", "POT"]
    one = body(staff.get(f"{march}&sku=POT&status=confirmed"))["results"]
    assert [(row["sku"], row["quantity"]) for row in one] == [("POT", 3)]


def test_more_figures_than_an_answer_has_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_FIGURES", 2)
    for sku in ("CUP", "POT", "TIN"):
        of_product(date(2025, 3, 1), sku)
    staff, path = client_of(make_user(superuser=True)), f"{URL}?from=2025-03-01&to=2025-03-01&group=product"
    assert pointers(staff.get(path)) == ["/to"]
    assert len(body(staff.get(f"{path}&sku=CUP"))["results"]) == 1
