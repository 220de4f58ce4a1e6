"""Who polls and has the present version is told so, and not sent it again."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework import serializers

from events.tests.servers import at_once
from inventory.catalogue import change_product
from inventory.models import Product
from inventory.stock import adjust
from orders.services import cancel_order, confirm_orders
from rest.etags import etag
from testing.api import body, check_problem, client_of, make_user
from testing.shop import make_product, place

pytestmark = pytest.mark.django_db


def again(client: Any, path: str, tag: str) -> Any:
    return client.get(path, HTTP_IF_NONE_MATCH=tag)


def check_unchanged(client: Any, path: str, tag: str) -> None:
    answer = again(client, path, tag)
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    assert answer["X-Request-ID"]


def test_an_order_is_sent_again_only_when_it_has_changed() -> None:
    make_product("CUP")
    ada = make_user()
    order, client = place(ada, CUP=1), client_of(ada)
    path = f"/api/v1/orders/{order.id}"
    seen = set()
    for step in (lambda: None, lambda: confirm_orders([order.id]), lambda: cancel_order(order, by="customer")):
        step()
        answer = client.get(path)
        assert (answer.status_code, answer["Cache-Control"]) == (200, "private, no-cache")
        seen.add(answer["ETag"])
        check_unchanged(client, path, answer["ETag"])
        assert again(client, path, f'"another", W/{answer["ETag"]}').status_code == 304
    assert len(seen) == 3
    assert again(client, path, '"another"').status_code == 200


def test_a_product_is_sent_again_when_its_price_or_its_stock_has_changed() -> None:
    make_product("CUP", pieces=4)
    product = Product.objects.get()
    client, path = client_of(), "/api/v1/products/CUP"
    tag = client.get(path)["ETag"]
    check_unchanged(client, path, tag)
    for change in (
        lambda: change_product(product, price="9.90"),
        lambda: change_product(product, description="Blue"),
        lambda: adjust(product, quantity=1, reason="found"),
    ):
        change()
        answer = again(client, path, tag)
        assert answer.status_code == 200
        assert answer["ETag"] != tag
        tag = answer["ETag"]
    assert body(answer)["available"] == 5


def test_a_product_is_changed_only_as_it_was_seen() -> None:
    make_product("CUP")
    staff, path = client_of(make_user("sam", superuser=True)), "/api/v1/products/CUP"
    tag = staff.get(path)["ETag"]
    assert staff.patch(path, {"price": "9.90"}, HTTP_IF_MATCH=tag).status_code == 200
    check_problem(staff.patch(path, {"price": "1.00"}, HTTP_IF_MATCH=tag), 412, "precondition_failed")
    assert body(staff.get(path))["price"] == "9.90"
    assert staff.patch(path, {"price": "8.80"}, HTTP_IF_MATCH="*").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_changes_at_once_to_what_all_have_seen_one_is_made() -> None:
    make_product("CUP")
    staff, path = make_user("sam", superuser=True), "/api/v1/products/CUP"
    tag = client_of(staff).get(path)["ETag"]
    answers = at_once(
        4, lambda number: client_of(staff).patch(path, {"price": f"{number + 20}.00"}, HTTP_IF_MATCH=tag).status_code
    )
    assert sorted(answers) == [200, 412, 412, 412]


def test_the_version_of_another_s_order_is_not_told() -> None:
    make_product("CUP")
    ada = make_user()
    order = place(ada, CUP=1)
    path = f"/api/v1/orders/{order.id}"
    tag = client_of(ada).get(path)["ETag"]
    foreign = again(client_of(make_user("grace")), path, tag)
    check_problem(foreign, 404, "not_found")
    assert "ETag" not in foreign
    check_problem(again(client_of(), path, tag), 401, "not_authenticated")


def test_an_order_that_has_not_changed_costs_fewer_statements(django_assert_num_queries: Any) -> None:
    make_product("CUP")
    ada = make_user()
    client, path = client_of(ada), f"/api/v1/orders/{place(ada, CUP=1).id}"
    tag = client.get(path)["ETag"]
    with django_assert_num_queries(2):  # the token, the version
        check_unchanged_once = again(client, path, tag)
    assert check_unchanged_once.status_code == 304


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_what_is_not_there_is_not_there_in_any_version(header: str) -> None:
    staff = client_of(make_user(superuser=True))
    asked = {header: '"another"'}
    for path in ("/api/v1/products/NOPE", f"/api/v1/orders/{uuid4()}"):
        check_problem(staff.get(path, headers=asked), 404, "not_found")
    check_problem(staff.patch("/api/v1/products/NOPE", {"name": "x"}, headers=asked), 404, "not_found")


def test_the_tag_is_that_of_the_stock_that_is_shown(django_assert_num_queries: Any) -> None:
    make_product("CUP", pieces=5)
    with django_assert_num_queries(1):  # one look for both: nothing can be sold in between
        answer = client_of().get("/api/v1/products/CUP")
    assert (answer.json()["available"], bool(answer["ETag"])) == (5, True)


def test_a_release_that_shows_more_of_a_line_gives_every_order_another_tag() -> None:
    class Line(serializers.Serializer[Any]):
        sku = serializers.CharField()

    class Orders(serializers.Serializer[Any]):
        items = Line(many=True)

    class LongerLine(Line):
        weight = serializers.IntegerField()

    before = etag(Orders, 1)
    longer = type("Orders", (serializers.Serializer,), {"items": LongerLine(many=True)})
    longer.__qualname__ = Orders.__qualname__
    assert etag(Orders, 1) == before != etag(longer, 1)
