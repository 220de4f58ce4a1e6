from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client

from events.models import Event
from events.tests.helpers import published
from inventory import stock
from inventory.models import Movement, Product, StockItem
from notifications.models import Notification
from testing.admin import product_form, said, text, url
from testing.api import make_user
from testing.shop import counts, make_product, order_created

pytestmark = pytest.mark.django_db


def test_a_product_is_added_with_its_stock(browser: Client) -> None:
    answer = browser.post(url(Product, "add"), product_form(add_pieces="12", reason="first delivery"))
    assert answer.status_code == 302
    assert counts("POT") == (12, 0)
    assert Movement.objects.values_list("quantity", "reason").get() == (12, "first delivery")


def test_a_product_may_be_added_without_stock(browser: Client) -> None:
    browser.post(url(Product, "add"), product_form(add_pieces="0"))
    assert counts("POT") == (0, 0)
    assert not Movement.objects.exists()


@pytest.mark.parametrize("name", ["Pot\r\nand a line", "Pot\x1b", "Pot: http://x.example"])
def test_a_name_that_would_spoil_a_mail_is_refused_at_the_field(browser: Client, name: str) -> None:
    product = make_product("CUP")
    for page in (url(Product, "add"), url(Product, "change", product.pk)):
        answer = browser.post(page, product_form(name=name))
        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == ["name"]
    assert Product.objects.get().name == "The CUP"


def test_a_search_finds_what_reads_the_same(browser: Client) -> None:
    make_product("MAP")
    Product.objects.update(name="Straßen von Perigueux\u0301")
    for typed in ("STRASSEN", "perigueux\u0301", "Straßen map"):
        assert list(browser.get(url(Product, "changelist"), {"q": typed}).context["cl"].queryset) == [
            Product.objects.get()
        ]
    assert not browser.get(url(Product, "changelist"), {"q": "strase"}).context["cl"].queryset


def test_pieces_are_booked_on_the_page_of_a_product(browser: Client) -> None:
    product = make_product("POT", pieces=10)
    stock.reserve({uuid4(): {"POT": 4}})
    form = product_form(add_pieces="-6", reason="broken", price="31.00")
    assert browser.post(url(Product, "change", product.pk), form).status_code == 302
    assert counts("POT") == (4, 4)
    assert Movement.objects.latest("id").reason == "broken"
    assert Product.objects.get().price == Decimal("31.00")


def test_a_change_of_stock_needs_its_reason(browser: Client) -> None:
    product = make_product("POT", pieces=10)
    answer = browser.post(url(Product, "change", product.pk), product_form(add_pieces="5"))
    assert answer.status_code == 200
    assert "Say why the stock changes." in answer.content.decode()
    assert counts("POT") == (10, 0)


def test_what_is_reserved_cannot_be_taken_away(browser: Client) -> None:
    product = make_product("POT", pieces=10)
    stock.reserve({uuid4(): {"POT": 4}})
    answer = browser.post(url(Product, "change", product.pk), product_form(add_pieces="-7", reason="lost"), follow=True)
    assert any("The stock was not changed" in message for message in said(answer))
    assert counts("POT") == (10, 4)


@pytest.mark.parametrize("pieces", ["99999999999", "-99999999999", "1e9", "1.5", "many"])
def test_pieces_that_cannot_be_are_refused_by_the_form(browser: Client, pieces: str) -> None:
    product = make_product("POT", pieces=10)
    answer = browser.post(url(Product, "change", product.pk), product_form(add_pieces=pieces, reason="x"))
    assert answer.status_code == 200
    assert "add_pieces" in answer.context["adminform"].form.errors
    assert counts("POT") == (10, 0)


def test_the_sku_and_the_currency_of_a_product_stay(browser: Client) -> None:
    product = make_product("POT")
    browser.post(url(Product, "change", product.pk), product_form(sku="OTHER", currency="CHF", name="Jug"))
    assert Product.objects.values_list("sku", "currency", "name").get() == ("POT", "EUR", "Jug")


def test_a_taken_sku_is_refused_by_the_form(browser: Client) -> None:
    make_product("POT")
    assert "sku" in browser.post(url(Product, "add"), product_form()).context["adminform"].form.errors
    assert StockItem.objects.count() == 1


def test_the_page_of_a_product_shows_its_stock_and_its_last_movements(browser: Client) -> None:
    product = make_product("POT", pieces=10)
    stock.reserve({uuid4(): {"POT": 4}})
    stock.adjust(product, quantity=-2, reason="broken in the shop")
    page = text(browser.get(url(Product, "change", product.pk)))
    for told in ("opening stock", "+10", "broken in the shop", "-2", "?q=POT"):
        assert told in page
    movements = browser.get(url(Movement, "changelist"), {"q": "POT"}).context["cl"].result_count
    assert movements == 2


def test_mails_are_found_by_their_customer_and_events_by_their_request(browser: Client) -> None:
    ada = make_user()
    (event_id,) = published(order_created())
    event = Event.objects.get(pk=event_id)
    mail = Notification.objects.create(
        event_id=event_id, template="welcome", user_id=ada.pk, recipient="old@example.com"
    )
    for typed in (ada.email.upper(), str(ada.pk), str(mail.pk), "old@example.com"):
        assert list(browser.get(url(Notification, "changelist"), {"q": typed}).context["cl"].queryset) == [mail], typed
    Event.objects.filter(pk=event_id).update(correlation_id="till-4-0042")
    for typed in ("till-4-0042", str(event.pk), str(event.subject)):
        assert list(browser.get(url(Event, "changelist"), {"q": typed}).context["cl"].queryset) == [event], typed
    assert not browser.get(url(Event, "changelist"), {"q": "nothing"}).context["cl"].queryset
