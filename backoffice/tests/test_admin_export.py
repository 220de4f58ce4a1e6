import csv
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db.models import Model
from django.test import Client

from inventory import stock
from inventory.models import Movement, Product
from orders.models import Order
from testing.admin import said, url
from testing.api import admin_client, make_user
from testing.shop import make_product, place, place_confirmed

pytestmark = pytest.mark.django_db


def rows(answer: Any) -> list[dict[str, str]]:
    """What a spreadsheet reads of an exported list."""
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    return list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))


def test_the_list_of_orders_is_exported_as_it_is_filtered_and_ordered(browser: Client) -> None:
    make_product("CUP", price="2.50")
    ada = make_user("ada")
    first, _, last = place_confirmed(ada, CUP=1), place(ada, CUP=1), place_confirmed(ada, CUP=2)
    shown = browser.get(url(Order, "changelist"), {"status__exact": "confirmed"}).content.decode()
    assert f'href="{url(Order, "export")}?status__exact=confirmed"' in shown
    answer = browser.get(url(Order, "export"), {"status__exact": "confirmed"})
    assert 'filename="orders-' in answer["Content-Disposition"]
    found = rows(answer)
    assert [row["number"] for row in found] == [last.number, first.number]
    assert found[0] | {"user": "ada@example.com", "total": "5.00", "currency": "EUR", "status": "confirmed"} == found[0]
    oldest_first = rows(browser.get(url(Order, "export"), {"o": "1"}))
    assert oldest_first[0]["number"] == first.number


def test_products_and_movements_are_exported_too(browser: Client) -> None:
    stock.adjust(make_product("CUP", pieces=10), quantity=-3, reason="=HYPERLINK(1)")
    (product,) = rows(browser.get(url(Product, "export")))
    assert (product["sku"], product["on_hand"], product["available"]) == ("CUP", "7", "7")
    lost, opening = rows(browser.get(url(Movement, "export")))
    assert (lost["quantity"], lost["reason"]) == ("-3", "'=HYPERLINK(1)")
    assert opening["quantity"] == "10"


@pytest.mark.parametrize("model", [Order, Product, Movement], ids=lambda model: model.__name__)
def test_an_export_for_excel_is_the_same_file_with_a_byte_order_mark(browser: Client, model: type[Model]) -> None:
    make_product("Tasse-b")
    place(make_user("ada"), **{"Tasse-b": 1})
    shown = browser.get(url(model, "changelist")).content.decode()
    contents = []
    for page, label in (("export", "Export as CSV"), ("export_excel", "Export for Excel")):
        assert f'href="{url(model, page)}">{label}</a>' in shown
        answer: Any = browser.get(url(model, page))
        assert answer["Content-Disposition"].endswith('.csv"')
        contents.append(answer.getvalue())
    assert len(contents[0].splitlines()) == 2
    assert contents[1] == b"\xef\xbb\xbf" + contents[0]


def test_an_address_that_is_a_formula_is_told_to_be_text(browser: Client) -> None:
    make_product("CUP")
    place(make_user("=cmd"), CUP=1)
    (order,) = rows(browser.get(url(Order, "export")))
    assert order["user"] == "'=cmd@example.com"


def test_a_list_that_is_too_long_leads_back_to_a_narrower_filter(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adminkit.csv_export.MOST", 1)
    make_product("CUP")
    make_product("POT")
    assert len(rows(browser.get(url(Product, "export"), {"q": "CUP"}))) == 1
    answer = browser.get(url(Product, "export"), {"is_active__exact": "1"}, follow=True)
    assert answer.redirect_chain == [(f"{url(Product, 'changelist')}?is_active__exact=1", 302)]
    assert "These are more than 1 rows. Narrow the filter, then export again." in said(answer)


def test_rows_are_read_in_chunks_and_those_that_go_meanwhile_are_left_out(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adminkit.csv_export.CHUNK", 2)
    for sku in "ABCDE":
        make_product(sku, pieces=0)
    assert [row["sku"] for row in rows(browser.get(url(Product, "export")))] == list("ABCDE")
    answer = browser.get(url(Product, "export"))
    Product.objects.get(sku="C").stock.delete()
    Product.objects.get(sku="C").delete()
    assert [row["sku"] for row in rows(answer)] == list("ABDE")


@pytest.mark.parametrize("asked", [{"total_from": "99,90"}, {"q": "\0"}])
def test_a_filter_that_cannot_be_read_leads_back_to_the_list_which_says_so(
    browser: Client, asked: dict[str, str]
) -> None:
    make_product("CUP")
    place(make_user("ada"), CUP=1)
    answer = browser.get(url(Order, "export"), asked, follow=True)
    assert answer.redirect_chain == [(f"{url(Order, 'changelist')}?{urlencode(asked)}", 302)]
    assert "so no rows are shown" in " ".join(said(answer))
    assert answer.context["cl"].result_count == 0


def test_a_page_that_is_not_there_is_no_error(browser: Client) -> None:
    for sku in range(120):
        make_product(f"CUP-{sku}", pieces=0)
    assert len(rows(browser.get(url(Product, "export"), {"p": "99"}))) == 120
    assert browser.get(url(Product, "changelist"), {"p": "99"}).context["cl"].page_num == 1


def test_who_may_not_see_a_list_may_not_export_it() -> None:
    assert admin_client(make_user("sam", staff=True)).get(url(Order, "export")).status_code == 403
    assert Client().get(url(Order, "export")).status_code == 302
