"""The figures that the sales page shows."""

from datetime import date
from typing import Any

import pytest
from django.test import Client

from analytics.models import DailyProductSales, DailySales
from analytics.sales_figures import TOP, first_days
from testing.admin import text
from testing.api import admin_client, make_user

pytestmark = pytest.mark.django_db
DATA = "/admin/sales/data"
MONDAY = date(2025, 3, 3)


def reached(status: str, orders: int, amount: str = "0", *, day: date = MONDAY, currency: str = "EUR") -> None:
    DailySales.objects.create(day=day, currency=currency, status=status, orders=orders, amount=amount)


def of_product(sku: str, status: str, pieces: int, amount: str, *, day: date = MONDAY, currency: str = "EUR") -> None:
    figures = {"day": day, "currency": currency, "status": status, "orders": 1}
    DailyProductSales.objects.create(sku=sku, quantity=pieces, amount=amount, **figures)


def figures(browser: Client, start: str = "2025-03-01", end: str = "2025-03-31", **chosen: str) -> Any:
    answer = browser.get(DATA, {"from": start, "to": end, **chosen})
    assert answer.status_code == 200, answer.content
    assert "no-store" in answer["Cache-Control"]
    return answer.json()


def test_each_chart_has_a_value_for_each_interval_also_where_there_was_nothing(browser: Client) -> None:
    reached("pending", 3, "30.00")
    reached("confirmed", 2, "20.50")
    reached("confirmed", 1, "9.25", day=date(2025, 3, 5))
    reached("rejected", 1, "9.50", day=date(2025, 3, 12))
    charts = figures(browser, interval="week")["charts"]
    weeks = ["2025-02-24", "2025-03-03", "2025-03-10", "2025-03-17", "2025-03-24", "2025-03-31"]
    assert [charts[name]["labels"] for name in ("revenue", "orders", "rejections")] == [weeks] * 3
    assert charts["revenue"]["lines"]["confirmed"] == [0, 29.75, 0, 0, 0, 0]
    assert charts["orders"]["lines"]["placed"] == [0, 3, 0, 0, 0, 0]
    assert charts["orders"]["lines"]["confirmed"] == [0, 3, 0, 0, 0, 0]
    assert charts["rejections"]["lines"]["rejected"] == [0, 0, 1, 0, 0, 0]


def test_the_sums_of_the_period_are_told(browser: Client) -> None:
    for status, orders, amount in (("pending", 8, "80"), ("confirmed", 6, "60.60"), ("rejected", 2, "20")):
        reached(status, orders, amount)
    reached("cancelled", 1, "10", day=date(2025, 3, 4))
    totals = figures(browser)["totals"]
    assert totals == {
        "placed": 8, "confirmed": 6, "revenue": 60.6, "average": pytest.approx(10.1), "rejected": 0.25,
        "cancelled": 0.125,
    }  # fmt: skip


def test_a_period_without_orders_is_shown_too(browser: Client) -> None:
    found = figures(browser)
    assert (found["currency"], found["currencies"]) == ("", [])
    assert (found["totals"]["placed"], found["totals"]["average"], found["totals"]["rejected"]) == (0, None, None)
    assert found["charts"]["products"] == {"labels": [], "lines": {"total": []}}


def test_top_products_are_those_of_confirmed_orders_by_worth_and_of_rejected_ones_by_pieces(browser: Client) -> None:
    reached("confirmed", 1, "10")
    for number in range(TOP + 2):
        of_product(f"CUP-{number}", "confirmed", 1, str(number + 1))
    of_product("CUP-0", "confirmed", 1, "100", day=date(2025, 3, 9))
    of_product("POT", "confirmed", 500, "1000", day=date(2025, 4, 1))  # after the period
    of_product("TIN", "pending", 500, "1000")
    of_product("POT", "rejected", 2, "500")
    of_product("TIN", "rejected", 7, "5")
    charts = figures(browser)["charts"]
    top = [f"CUP-{number}" for number in (0, *range(TOP + 1, 2, -1))]
    assert charts["products"]["labels"] == top
    assert charts["products"]["lines"]["total"][:2] == [101, 12]
    assert charts["short"] == {"labels": ["TIN", "POT"], "lines": {"pieces": [7, 2]}}


def test_figures_are_of_one_currency_the_one_of_most_orders_unless_another_is_chosen(browser: Client) -> None:
    reached("confirmed", 1, "10")
    reached("confirmed", 2, "70", currency="USD")
    of_product("CUP", "confirmed", 1, "10")
    of_product("POT", "confirmed", 1, "70", currency="USD")
    for chosen, currency, revenue, sku in (({}, "USD", 70, "POT"), ({"currency": "EUR"}, "EUR", 10, "CUP")):
        found = figures(browser, **chosen)
        assert (found["currency"], found["currencies"]) == (currency, ["USD", "EUR"])
        assert (found["totals"]["revenue"], found["charts"]["products"]["labels"]) == (revenue, [sku])


@pytest.mark.parametrize(
    ("start", "end", "interval", "days"),
    [
        (date(2025, 1, 31), date(2025, 3, 1), "month", [date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)]),
        (date(2024, 12, 31), date(2025, 1, 6), "week", [date(2024, 12, 30), date(2025, 1, 6)]),
        (date(9999, 12, 30), date(9999, 12, 31), "day", [date(9999, 12, 30), date(9999, 12, 31)]),
        (date(1, 1, 1), date(1, 1, 3), "week", [date(1, 1, 1)]),
    ],
)
def test_intervals_begin_on_mondays_and_firsts(start: date, end: date, interval: str, days: list[date]) -> None:
    assert first_days(start, end, interval) == days


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"from": "2025-03-02", "to": "2025-03-01"}, "to: The period ends before it begins."),
        ({"from": "2024-01-01", "to": "2025-03-01"}, "to: Ask for at most 366 days at once."),
        ({"from": "yesterday", "to": "2025-03-01"}, "from: Give a day such as 2026-01-05."),
        ({"from": "2025-03-01", "to": "2025-03-01", "interval": "year"}, 'interval: "year" is not a valid choice.'),
        ({"to": "2025-03-01"}, "from: This field is required."),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(browser: Client, chosen: dict[str, str], told: str) -> None:
    answer = browser.get(DATA, chosen)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/admin/sales/", DATA])
def test_it_is_for_staff_who_may_see_both_figures(path: str) -> None:
    assert Client().get(path).status_code == 302
    assert admin_client(make_user("ada")).get(path).status_code == 302
    assert admin_client(make_user("sam", staff=True)).get(path).status_code == 403


def test_the_page_shows_the_last_thirty_days_to_begin_with_and_the_operations_page_leads_there(browser: Client) -> None:
    page = text(browser.get("/admin/sales/"))
    assert 'name="from" value="20' in page
    assert 'href="/admin/reports/"' in page
    assert '<a href="/admin/sales/">Sales</a>' in text(browser.get("/admin/"))
