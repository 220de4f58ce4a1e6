import json
from decimal import Decimal
from typing import Any

import pytest

from inventory.models import Product
from testing.api import body, check_problem, client_of, make_user, pointers
from testing.shop import counts, make_product

pytestmark = pytest.mark.django_db
URL = "/api/v1/products"


def skus(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [product["sku"] for product in body(answer)["results"]]


def walk(path: str) -> list[str]:
    """The skus of all pages, by the `next` links."""
    seen: list[str] = []
    link: str | None = path
    while link:
        page = client_of().get(link)
        seen += skus(page)
        link = body(page)["next"]
    return seen


def test_anyone_sees_what_is_sold() -> None:
    make_product("CUP", "2.50", 7, description="Holds tea.")
    page = body(client_of().get(URL))
    assert page.keys() == {"next", "previous", "results"}
    assert page["results"] == [
        {
            "sku": "CUP",
            "name": "The CUP",
            "description": "Holds tea.",
            "price": "2.50",
            "currency": "EUR",
            "available": 7,
        }
    ]
    assert body(client_of().get(f"{URL}/CUP")) == page["results"][0]


def test_what_is_not_sold_is_not_shown() -> None:
    make_product("OLD", is_active=False)
    assert skus(client_of().get(URL)) == []
    check_problem(client_of().get(f"{URL}/OLD"), 404, "not_found")
    check_problem(client_of().get(f"{URL}/NEVER"), 404, "not_found")


def test_the_search_looks_at_sku_name_and_description_in_any_case() -> None:
    make_product("CUP-1", description="white")
    make_product("POT-1", description="Black iron")
    make_product("POT-2", description="100% clay")
    assert skus(client_of().get(URL, {"search": "pot"})) == ["POT-1", "POT-2"]
    assert skus(client_of().get(URL, {"search": "BLACK"})) == ["POT-1"]
    assert skus(client_of().get(URL, {"search": "the cup"})) == ["CUP-1"]
    assert skus(client_of().get(URL, {"search": "%"})) == ["POT-2"]
    assert skus(client_of().get(URL, {"search": "_"})) == []
    assert skus(client_of().get(URL, {"search": "'; DROP"})) == []


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Alte Straße", "STRASSE"),
        ("Alte Strasse", "straße"),
        ("ALTE STRA\u1e9eE", "strasse"),
        ("Café", "CAFE\u0301"),
        ("Cafe\u0301", "café"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("\ufb01lter", "Filter"),
        ("Ünal", "u\u0308NAL"),
        ("100% (pure) \\ [_]", "100% (PURE) \\ [_]"),
    ],
)
def test_the_search_finds_what_reads_the_same(name: str, wanted: str) -> None:
    make_product("ONE", description=name)
    make_product("OTHER", description="Cafe Strase x [x] 100")
    assert skus(client_of().get(URL, {"search": wanted})) == ["ONE"]


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("sku", ["A", "B", "C"]),
        ("-sku", ["C", "B", "A"]),
        ("price", ["B", "C", "A"]),
        ("-price", ["A", "C", "B"]),
        ("name", ["A", "B", "C"]),
        ("-name", ["C", "B", "A"]),
    ],
)
def test_each_ordering_holds_across_pages(ordering: str, expected: list[str]) -> None:
    for sku, price in (("A", "30.00"), ("B", "4.00"), ("C", "20.00")):
        make_product(sku, price)
    assert walk(f"{URL}?ordering={ordering}&page_size=1") == expected


def test_products_of_one_price_come_once_each_over_the_pages() -> None:
    for number in range(25):
        make_product(f"P{number:02}", "1.00", 0)
    seen = walk(f"{URL}?ordering=price&page_size=4")
    assert sorted(seen) == [f"P{number:02}" for number in range(25)]


def test_more_equal_products_than_an_offset_may_be_long_still_end() -> None:
    """DRF cuts offsets at 1,000: pages after that would be the same one for ever."""
    Product.objects.bulk_create(Product(sku=f"P{number:04}", name="x", price=1) for number in range(1_150))
    assert len(set(walk(f"{URL}?ordering=price&page_size=100"))) == 1_150


def test_previous_leads_back() -> None:
    for sku in "ABC":
        make_product(sku)
    first = body(client_of().get(f"{URL}?page_size=2"))
    second = body(client_of().get(first["next"]))
    assert (first["previous"], second["next"]) == (None, None)
    assert skus(client_of().get(second["previous"])) == ["A", "B"]


@pytest.mark.parametrize("size", ["0", "101", "x", "-1", "", "1.5", "9" * 30, "00000000150", "٣", "%00"])
def test_a_page_size_out_of_bounds_is_refused(size: str) -> None:
    assert pointers(client_of().get(f"{URL}?page_size={size}")) == ["/page_size"]


@pytest.mark.parametrize("cursor", ["x", "", "cD1hYmM=", "%00", "%ED%A0%80", "é", "a:b:c", "=" * 9_000])
@pytest.mark.parametrize("ordering", ["sku", "price"])
def test_a_made_up_cursor_is_refused(cursor: str, ordering: str) -> None:
    assert pointers(client_of().get(f"{URL}?cursor={cursor}&ordering={ordering}")) == ["/cursor"]


def test_a_cursor_belongs_to_its_ordering() -> None:
    for sku in "ABC":
        make_product(sku)
    link = body(client_of().get(f"{URL}?ordering=name&page_size=1"))["next"]
    assert pointers(client_of().get(link.replace("ordering=name", "ordering=price"))) == ["/cursor"]


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("ordering=id", "/ordering"),
        ("ordering=stock", "/ordering"),
        ("search=%00", "/search"),
        ("search=" + "x" * 101, "/search"),
    ],
)
def test_an_unknown_ordering_and_a_search_for_nonsense_are_refused(query: str, where: str) -> None:
    assert pointers(client_of().get(f"{URL}?{query}")) == [where]


@pytest.mark.parametrize("sku", ["a b", "%00", "-A", "A%2FB", "é", "A" * 65, "..", "%27"])
def test_a_sku_of_odd_characters_is_404(sku: str) -> None:
    check_problem(client_of().get(f"{URL}/{sku}"), 404, "not_found")


def test_staff_add_a_product_with_no_stock() -> None:
    staff = client_of(make_user(superuser=True))
    answer = staff.post(URL, {"sku": "CUP.1", "name": "Cup", "price": "3", "currency": "CHF"})
    assert answer.status_code == 201
    assert answer["Location"] == f"{URL}/CUP.1"
    assert body(answer) == {
        "sku": "CUP.1",
        "name": "Cup",
        "description": "",
        "price": "3.00",
        "currency": "CHF",
        "available": 0,
    }
    assert body(client_of().get(answer["Location"])) == body(answer)
    assert counts("CUP.1") == (0, 0)


def test_a_taken_sku_is_refused_by_its_pointer() -> None:
    make_product("CUP")
    answer = client_of(make_user(superuser=True)).post(URL, {"sku": "CUP", "name": "Other", "price": "1.00"})
    assert pointers(answer) == ["/sku"]
    assert Product.objects.get().name == "The CUP"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"sku": "a b"}, "/sku"),
        ({"sku": "-a"}, "/sku"),
        ({"sku": "é"}, "/sku"),
        ({"sku": "A" * 65}, "/sku"),
        ({"sku": "A\0"}, "/sku"),
        ({"sku": "A/B"}, "/sku"),
        ({"sku": None}, "/sku"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"name": "Cup\r\nwith a line of its own"}, "/name"),
        ({"name": "Cup https://x.example"}, "/name"),
        ({"price": "-0.01"}, "/price"),
        ({"price": "0.001"}, "/price"),
        ({"price": "100000000"}, "/price"),
        ({"price": "NaN"}, "/price"),
        ({"price": "Infinity"}, "/price"),
        ({"price": "1e500"}, "/price"),
        ({"price": True}, "/price"),
        ({"price": None}, "/price"),
        ({"currency": "eur"}, "/currency"),
        ({"currency": "EURO"}, "/currency"),
        ({"description": "\0"}, "/description"),
        ({"is_active": "perhaps"}, "/is_active"),
    ],
)
def test_a_product_that_cannot_be_is_refused_by_its_pointer(fields: dict[str, Any], where: str) -> None:
    given = {"sku": "CUP", "name": "Cup", "price": "1.00"} | fields
    answer = client_of(make_user(superuser=True)).post(URL, json.dumps(given), content_type="application/json")
    assert set(pointers(answer)) == {where}
    assert not Product.objects.exists()


def test_staff_change_a_product_and_its_sku_stays() -> None:
    make_product("CUP", pieces=4)
    staff = client_of(make_user(superuser=True))
    given = {"price": "1.00", "sku": "POT", "currency": "CHF"}
    assert pointers(staff.patch(f"{URL}/CUP", given)) == ["/sku", "/currency"]
    answer = staff.patch(f"{URL}/CUP", {"price": "9.90"})
    assert answer.status_code == 200
    assert (body(answer)["price"], body(answer)["available"]) == ("9.90", 4)
    product = Product.objects.get()
    assert (product.sku, product.price, product.currency, product.name) == ("CUP", Decimal("9.90"), "EUR", "The CUP")


def test_a_change_of_nothing_is_fine() -> None:
    make_product()
    assert client_of(make_user(superuser=True)).patch(f"{URL}/CUP", {}).status_code == 200


def test_staff_take_a_product_off_sale_and_put_it_back() -> None:
    make_product()
    staff = client_of(make_user(superuser=True))
    assert staff.patch(f"{URL}/CUP", {"is_active": False}).status_code == 200
    assert client_of().get(f"{URL}/CUP").status_code == 404
    assert staff.patch(f"{URL}/CUP", {"is_active": True}).status_code == 200
    assert client_of().get(f"{URL}/CUP").status_code == 200


@pytest.mark.parametrize(
    "fields", [{"price": "-1"}, {"price": None}, {"name": ""}, {"name": "a\nb"}, {"is_active": None}]
)
def test_a_bad_change_is_refused_and_changes_nothing(fields: dict[str, Any]) -> None:
    make_product()
    answer = client_of(make_user(superuser=True)).patch(f"{URL}/CUP", {"description": "new"} | fields)
    assert pointers(answer) == [f"/{next(iter(fields))}"]
    assert Product.objects.get().description == ""


def test_a_page_costs_as_many_queries_whatever_its_size(django_assert_num_queries: Any) -> None:
    for number in range(6):
        make_product(f"P{number}")
    for size in (1, 5):
        with django_assert_num_queries(1):
            client_of().get(f"{URL}?page_size={size}")
