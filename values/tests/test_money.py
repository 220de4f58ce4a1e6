"""Every amount has exactly the decimals of its currency, wherever it is shown; other currencies are refused."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client

from analytics.sales_figures import figures
from analytics.summaries import _figures
from analytics.tasks import track_order
from events.models import Event
from events.tests.helpers import received
from eventtypes.orders import OrderCreatedV1
from inventory.models import Product
from orders.models import Order
from orders.report_rows import ORDER_COLUMNS, SALES_COLUMNS, order_rows, sales_rows
from rpc.messages import order_message
from testing.admin import product_form, url
from testing.api import body, client_of, make_user, pointers
from testing.contract import check_described
from testing.shop import make_product, place
from values.money import DECIMALS, in_currency

pytestmark = pytest.mark.django_db

# Currency, a price as it may be given, that price, and what three pieces cost.
PRICES = [
    ("EUR", "9.5", "9.50", "28.50"),
    ("EUR", "99.99", "99.99", "299.97"),
    ("JPY", "100", "100", "300"),
    ("KWD", "1.23", "1.230", "3.690"),
    ("KWD", "1.234", "1.234", "3.702"),
    ("CLF", "0.0001", "0.0001", "0.0003"),
]


def test_the_currencies_are_those_of_iso_4217_that_have_decimals() -> None:
    assert {code: DECIMALS[code] for code in ("EUR", "USD", "JPY", "KWD", "CLF", "IDR", "HUF")} == {
        "EUR": 2, "USD": 2, "JPY": 0, "KWD": 3, "CLF": 4, "IDR": 2, "HUF": 2,
    }  # fmt: skip
    assert not {"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "ABC", "DEM", "eur", ""} & DECIMALS.keys()


@pytest.mark.parametrize(("currency", "given", "price", "_three"), PRICES)
def test_a_product_is_shown_with_the_decimals_of_its_currency(
    currency: str, given: str, price: str, _three: str
) -> None:
    staff = client_of(make_user(superuser=True))
    answer = staff.post("/api/v1/products", {"sku": "CUP", "name": "Cup", "price": given, "currency": currency})
    assert (answer.status_code, body(answer)["price"]) == (201, price)
    check_described("POST /api/v1/products", answer)
    assert body(staff.get("/api/v1/products/CUP"))["price"] == price
    assert body(staff.get("/api/v1/products"))["results"][0]["price"] == price
    assert body(staff.patch("/api/v1/products/CUP", {"price": given}))["price"] == price


@pytest.mark.parametrize(("currency", "given", "price", "three"), PRICES)
def test_an_order_is_told_with_the_decimals_of_its_currency(currency: str, given: str, price: str, three: str) -> None:
    make_product("CUP", price=given, currency=currency)
    ada = make_user()
    answer = client_of(ada).post("/api/v1/orders", {"items": [{"sku": "CUP", "quantity": 3}]})
    check_described("POST /api/v1/orders", answer)
    told = body(answer)
    assert (told["total"], told["items"][0]["unit_price"], told["items"][0]["line_total"]) == (three, price, three)
    assert body(client_of(ada).get(f"/api/v1/orders/{told['id']}")) == told
    event = Event.objects.get().data
    assert (event["total"], event["items"][0]["unit_price"], event["items"][0]["line_total"]) == (three, price, three)
    message = order_message(Order.objects.get())
    assert (message.total, message.items[0].unit_price, message.items[0].line_total) == (three, price, three)
    mail = render_to_string("notifications/order_received.txt", OrderCreatedV1(**event).model_dump())
    assert f": {three} {currency}\n  Total: {three} {currency}\n" in mail


@pytest.mark.parametrize(("currency", "given", "_price", "three"), PRICES)
def test_figures_and_reports_have_the_decimals_of_the_currency(
    currency: str, given: str, _price: str, three: str
) -> None:
    make_product("CUP", price=given, currency=currency)
    place(make_user(), CUP=3)
    track_order(received(OrderCreatedV1(**Event.objects.get().data), time=datetime.now(UTC)))
    now = datetime.now(UTC)
    day = f"{now:%Y-%m-%d}"
    answer = client_of(make_user("sam", superuser=True)).get(f"/api/v1/analytics/sales?from={day}&to={day}")
    assert [figure["amount"] for figure in body(answer)["results"]] == [three]
    assert [str(figure.amount) for figure in _figures(now.date())] == [three]
    assert figures(now.date(), now.date(), "day")["decimals"] == DECIMALS[currency]
    period = {"since": now - timedelta(days=1), "until": now + timedelta(days=1), "as_of": now + timedelta(days=1)}
    for rows, columns, name in ((order_rows, ORDER_COLUMNS, "total"), (sales_rows, SALES_COLUMNS, "amount")):
        (row,) = (row for _, found in rows(**period) for row in found)
        assert str(dict(zip(columns, row, strict=True))[name]) == three


@pytest.mark.parametrize(("currency", "given", "price", "three"), PRICES)
def test_the_admin_shows_the_decimals_of_the_currency(
    browser: Client, currency: str, given: str, price: str, three: str
) -> None:
    answer = browser.post(url(Product, "add"), product_form(price=given, currency=currency))
    assert answer.status_code == 302
    order = place(make_user(), POT=3)
    for page, cell in (
        (url(Product, "changelist"), rf">\s*{price}\s*<"),
        (f"{url(Product, 'changelist')}export.csv", f",{price},{currency},"),
        (url(Order, "changelist"), rf">\s*{three}\s*<"),
        (url(Order, "change", order.pk), rf">\s*{price}\s*<"),
        (f"{url(Order, 'changelist')}export.csv", f",{three},{currency},"),
    ):
        answer = browser.get(page)
        shown = (answer.getvalue() if answer.streaming else answer.content).decode()
        assert re.search(cell, shown), page


REFUSED = [
    ({"price": "100.50", "currency": "JPY"}, "price"),
    ({"price": "100.0", "currency": "JPY"}, "price"),
    ({"price": "9.999", "currency": "EUR"}, "price"),
    ({"price": "9.999"}, "price"),
    ({"price": "1.2345", "currency": "KWD"}, "price"),
    ({"price": "1.23456", "currency": "CLF"}, "price"),
    ({"price": "123456789", "currency": "JPY"}, "price"),
    *(({"price": "1", "currency": code}, "currency") for code in ("XXX", "XTS", "XAU", "ABC", "DEM", "eur", "€")),
]


@pytest.mark.parametrize(("fields", "where"), REFUSED)
def test_what_no_currency_allows_is_refused_at_its_field(fields: dict[str, str], where: str) -> None:
    answer = client_of(make_user(superuser=True)).post("/api/v1/products", {"sku": "POT", "name": "Pot"} | fields)
    assert pointers(answer) == [f"/{where}"]
    assert not Product.objects.exists()


@pytest.mark.parametrize(("fields", "where"), [case for case in REFUSED if case[0]["price"] != "123456789"])
def test_the_admin_refuses_it_too(browser: Client, fields: dict[str, str], where: str) -> None:
    answer = browser.post(url(Product, "add"), product_form(**fields))
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [where]


def test_a_new_price_has_at_most_the_decimals_of_the_currency_of_the_product() -> None:
    make_product("CUP", price="100", currency="JPY")
    staff = client_of(make_user(superuser=True))
    assert pointers(staff.patch("/api/v1/products/CUP", {"price": "100.50"})) == ["/price"]
    assert body(staff.patch("/api/v1/products/CUP", {"price": "101", "name": "Cup"}))["price"] == "101"


def test_what_code_saves_has_the_decimals_of_its_currency() -> None:
    product = Product.objects.create(sku="A", name="A", price=Decimal(5))
    assert str(product.price) == "5.00"
    assert str(Product.objects.get().price) == "5.00"
    assert str(Product.objects.create(sku="B", name="B", price=Decimal("5.00"), currency="JPY").price) == "5"
    with pytest.raises(ValidationError):
        Product.objects.create(sku="C", name="C", price=Decimal("5.001"))


def test_amounts_that_were_taken_before_are_shown_without_rounding_them() -> None:
    """A price in yen was kept with two decimals; a currency may be one that is not in the list any more."""
    make_product("CUP", currency="JPY", price="100")
    make_product("POT", currency="EUR")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_product SET price = 100.00 WHERE sku = 'CUP'")
        cursor.execute("UPDATE inventory_product SET price = 2.50, currency = 'ABC' WHERE sku = 'POT'")
    ada = client_of(make_user())
    assert [body(ada.get(f"/api/v1/products/{sku}"))["price"] for sku in ("CUP", "POT")] == ["100", "2.50"]
    orders: list[Any] = [ada.post("/api/v1/orders", {"items": [{"sku": s, "quantity": 2}]}) for s in ("CUP", "POT")]
    assert [body(order)["total"] for order in orders] == ["200", "5.00"]
    assert [event.data["total"] for event in Event.objects.order_by("id")] == ["200", "5.00"]
    assert str(in_currency(Decimal("100.50"), "JPY")) == "100.50"
