import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from events.models import Delivery, Event
from events.tests.servers import at_once
from inventory.models import Product, StockItem
from orders.models import Order, OrderLine, StatusChange
from rest.models import StoredAnswer
from testing.api import body, check_problem, client_of, make_user, pointers
from testing.shop import items, make_product, place
from users.models import User

pytestmark = pytest.mark.django_db
URL = "/api/v1/orders"


@pytest.fixture(autouse=True)
def shop(db: None, cup: Product) -> None:
    make_product("POT", "29.90")


def post(user: User, given: Any) -> Any:
    return client_of(user).post(URL, json.dumps(given), content_type="application/json")


def nothing_is_written() -> bool:
    tables = (Order, OrderLine, StatusChange, StoredAnswer, Event, Delivery)
    return not any(table.objects.exists() for table in tables)


def test_an_order_is_accepted_and_told_as_promised(ada: User) -> None:
    answer = post(ada, items(POT=1, CUP=3))
    order = Order.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"{URL}/{order.id}"
    assert answer["Content-Type"] == "application/json"
    told = body(answer)
    assert told == {
        "id": str(order.id),
        "number": order.number,
        "status": "pending",
        "currency": "EUR",
        "total": "37.40",
        "items": [
            {"sku": "POT", "name": "The POT", "quantity": 1, "unit_price": "29.90", "line_total": "29.90"},
            {"sku": "CUP", "name": "The CUP", "quantity": 3, "unit_price": "2.50", "line_total": "7.50"},
        ],
        "rejection_reason": "",
        "created_at": told["created_at"],
        "updated_at": told["created_at"],
    }
    assert told["created_at"].endswith("Z")
    assert UUID(told["id"]).version == 7
    assert body(client_of(ada).get(answer["Location"])) == told


def test_order_event_and_deliveries_are_committed_together(ada: User) -> None:
    answer = client_of(ada).post(URL, items(CUP=2), headers={"X-Request-ID": "till-4"})
    event = Event.objects.get()
    told = body(answer)
    assert (event.type, str(event.subject), event.sequence) == ("order.created.v1", told["id"], 1)
    assert event.correlation_id == "till-4"
    assert event.data == {
        "order_id": told["id"],
        "number": told["number"],
        "user_id": str(ada.id),
        "currency": "EUR",
        "total": "5.00",
        "items": told["items"],
    }
    assert ada.email not in json.dumps(event.data)
    handlers = {"inventory.reserve_items", "notifications.send_order_received", "analytics.track_order"}
    assert set(Delivery.objects.values_list("handler", flat=True)) == handlers
    assert StatusChange.objects.values_list("from_status", "to_status").get() == ("", "pending")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "key-1"}])
def test_where_the_event_cannot_be_written_there_is_no_order(ada: User, headers: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event ADD CONSTRAINT no_orders CHECK (type <> 'order.created.v1') NOT VALID")
        try:
            check_problem(client_of(ada).post(URL, items(CUP=1), headers=headers), 500, "internal_error")
        finally:
            cursor.execute("ALTER TABLE events_event DROP CONSTRAINT no_orders")
    assert nothing_is_written()


def test_an_order_takes_what_is_out_of_stock_and_touches_no_stock(ada: User) -> None:
    """Whether there is enough is decided later: the request takes no stock lock."""
    assert post(ada, items(CUP=1_000)).status_code == 201
    assert StockItem.objects.get(product__sku="CUP").reserved == 0


def test_a_later_price_and_name_do_not_touch_an_order(ada: User) -> None:
    order = place(ada, CUP=2)
    Product.objects.filter(sku="CUP").update(price=Decimal(9), name="Mug")
    told = body(client_of(ada).get(f"{URL}/{order.id}"))
    assert (told["total"], told["items"][0]["unit_price"], told["items"][0]["name"]) == ("5.00", "2.50", "The CUP")


def test_numbers_are_unique_and_rise(ada: User) -> None:
    numbers = [int(place(ada, CUP=1).number.removeprefix("O-")) for _ in range(3)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("sku", ["TEA", "cup", "", " ", "CUP\0", "C" * 65, "../../etc", "'; DROP TABLE", "é", "\ud800"])
def test_an_unknown_sku_is_refused_by_its_pointer_and_nothing_is_written(ada: User, sku: str) -> None:
    answer = post(ada, {"items": [{"sku": "POT", "quantity": 1}, {"sku": sku, "quantity": 1}]})
    assert pointers(answer) == ["/items/1/sku"]
    assert nothing_is_written()


@pytest.mark.parametrize("sku", [None, True, ["CUP"], {"sku": "CUP"}])
def test_a_sku_that_is_no_text_is_refused_by_its_pointer(ada: User, sku: Any) -> None:
    assert pointers(post(ada, {"items": [{"sku": sku, "quantity": 1}]})) == ["/items/0/sku"]
    assert nothing_is_written()


def test_a_product_that_is_off_sale_is_refused_as_an_unknown_one(ada: User) -> None:
    Product.objects.filter(sku="CUP").update(is_active=False)
    assert pointers(post(ada, items(POT=1, CUP=1))) == ["/items/1/sku"]
    assert nothing_is_written()


@pytest.mark.parametrize(
    "quantity", ["2", 2.5, 2.0, True, False, 0, -1, 1001, 10**30, 1e300, None, [], {}, "", "two"], ids=repr
)
def test_a_quantity_that_is_not_1_to_1000_is_refused_by_its_pointer(ada: User, quantity: Any) -> None:
    answer = post(ada, {"items": [{"sku": "POT", "quantity": 1}, {"sku": "CUP", "quantity": quantity}]})
    assert pointers(answer) == ["/items/1/quantity"]
    assert nothing_is_written()


@pytest.mark.parametrize("quantity", [1, 1_000])
def test_the_smallest_and_the_largest_quantity_are_taken(ada: User, quantity: int) -> None:
    assert post(ada, items(CUP=quantity)).status_code == 201


def test_a_sku_that_stands_twice_is_refused_at_the_second(ada: User) -> None:
    line = {"sku": "CUP", "quantity": 1}
    assert pointers(post(ada, {"items": [line, {"sku": "POT", "quantity": 1}, line, line]})) == [
        "/items/2/sku",
        "/items/3/sku",
    ]
    assert nothing_is_written()


def test_every_wrong_line_is_named(ada: User) -> None:
    lines = [{"sku": "TEA", "quantity": 1}, {"sku": "CUP", "quantity": 1}, {"sku": "JAM", "quantity": 1}]
    assert pointers(post(ada, {"items": lines})) == ["/items/0/sku", "/items/2/sku"]


def test_products_of_two_currencies_are_refused(ada: User) -> None:
    make_product("KNIFE", currency="CHF")
    assert pointers(post(ada, items(CUP=1, KNIFE=1))) == ["/items"]
    assert nothing_is_written()
    assert body(post(ada, items(KNIFE=1)))["currency"] == "CHF"


def test_a_hundred_lines_are_taken_and_one_more_is_not(ada: User) -> None:
    for number in range(101):
        make_product(f"P{number}", pieces=0)
    lines = [{"sku": f"P{number}", "quantity": 1} for number in range(101)]
    assert pointers(post(ada, {"items": lines})) == ["/items"]
    assert nothing_is_written()
    assert len(body(post(ada, {"items": lines[:100]}))["items"]) == 100


def test_the_dearest_order_that_can_be_is_no_error(ada: User) -> None:
    for number in range(100):
        make_product(f"P{number}", "99999999.99", pieces=0)
    answer = post(ada, items(**{f"P{number}": 1_000 for number in range(100)}))
    assert body(answer)["total"] == "9999999999000.00"


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "/items"),
        ({"items": None}, "/items"),
        ({"items": []}, "/items"),
        ({"items": {}}, "/items"),
        ({"items": {"sku": "CUP", "quantity": 1}}, "/items"),
        ({"items": "CUP"}, "/items"),
        ({"items": [None]}, "/items/0"),
        ({"items": ["CUP"]}, "/items/0"),
        ({"items": [[]]}, "/items/0"),
        ({"items": [{"quantity": 1}]}, "/items/0/sku"),
        ({"items": [{"sku": "CUP"}]}, "/items/0/quantity"),
        ([], ""),
        ([{"sku": "CUP", "quantity": 1}], ""),
        (None, ""),
        (5, ""),
        ("items", ""),
    ],
    ids=repr,
)
def test_a_body_of_another_shape_is_refused_by_its_pointer(ada: User, given: Any, where: str) -> None:
    assert pointers(post(ada, given)) == [where]
    assert nothing_is_written()


def test_a_body_that_is_no_json_is_refused(ada: User) -> None:
    for given in (b"{", b"items=1", b"\xff\xfe", b'{"items": NaN}', b"1" * 5_000):
        answer = client_of(ada).post(URL, given, content_type="application/json")
        check_problem(answer, 400, "parse_error")
    assert nothing_is_written()


def test_prices_and_states_that_the_customer_gives_are_refused_by_name(ada: User) -> None:
    line = {"sku": "CUP", "quantity": 1, "unit_price": "0.01"}
    given = {"items": [line], "total": "0.01", "status": "fulfilled"}
    assert pointers(post(ada, given)) == ["/total", "/status", "/items/0/unit_price"]
    assert nothing_is_written()


@pytest.mark.django_db(transaction=True)
def test_orders_that_come_at_once_are_all_taken_with_numbers_of_their_own() -> None:
    ada = make_user()
    clients = [client_of(ada) for _ in range(40)]
    answers = at_once(40, lambda number: clients[number].post(URL, items(CUP=1, POT=1)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({body(answer)["number"] for answer in answers}) == 40
    assert Event.objects.count() == Order.objects.count() == 40


def test_what_place_order_returns_has_its_lines_without_another_query(
    ada: User, django_assert_num_queries: Any
) -> None:
    order = place(ada, POT=1, CUP=3)
    with django_assert_num_queries(0):
        assert [(line.sku, line.quantity) for line in order.lines_to_represent] == [("POT", 1), ("CUP", 3)]
