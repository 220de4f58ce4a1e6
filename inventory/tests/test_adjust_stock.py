import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from events.tests.servers import at_once
from inventory import stock
from inventory.models import Movement, StockItem
from inventory.stock import BelowReserved
from testing.api import body, check_problem, client_of, make_user, pointers
from testing.shop import counts, make_product

pytestmark = pytest.mark.django_db
URL = "/api/v1/products/CUP/stock-adjustments"


def adjust(**fields: Any) -> Any:
    return client_of(make_user(superuser=True)).post(URL, json.dumps(fields), content_type="application/json")


def test_pieces_that_came_are_added_and_stand_in_the_ledger() -> None:
    product = make_product(pieces=10)
    stock.reserve({uuid4(): {"CUP": 3}})
    answer = adjust(quantity=5, reason="delivery 77")
    assert answer.status_code == 201
    assert body(answer) == {"sku": "CUP", "on_hand": 15, "reserved": 3, "available": 12}
    movement = Movement.objects.latest("id")
    assert (movement.product, movement.kind, movement.quantity, movement.reason) == (
        product,
        "adjustment",
        5,
        "delivery 77",
    )
    assert counts() == (15, 3)


def test_pieces_that_went_are_taken_away_down_to_what_is_reserved() -> None:
    make_product(pieces=10)
    stock.reserve({uuid4(): {"CUP": 3}})
    assert body(adjust(quantity=-7, reason="broken"))["available"] == 0
    assert counts() == (3, 3)


def test_what_is_reserved_cannot_be_taken_away() -> None:
    make_product(pieces=10)
    stock.reserve({uuid4(): {"CUP": 3}})
    check_problem(adjust(quantity=-8, reason="broken"), 409, "below_reserved")
    assert counts() == (10, 3)
    assert Movement.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"quantity": 0}, "/quantity"),
        ({"quantity": 1.5}, "/quantity"),
        ({"quantity": True}, "/quantity"),
        ({"quantity": None}, "/quantity"),
        ({"quantity": "many"}, "/quantity"),
        ({"quantity": 1_000_001}, "/quantity"),
        ({"quantity": -1_000_001}, "/quantity"),
        ({"quantity": 10**400}, "/quantity"),
        ({"reason": ""}, "/reason"),
        ({"reason": "   "}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"reason": "x" * 201}, "/reason"),
        ({"reason": "\0"}, "/reason"),
    ],
)
def test_an_adjustment_that_cannot_be_is_refused_by_its_pointer(fields: dict[str, Any], where: str) -> None:
    make_product(pieces=10)
    assert pointers(adjust(**({"quantity": 1, "reason": "found"} | fields))) == [where]
    assert counts() == (10, 0)


def test_both_fields_are_needed() -> None:
    make_product()
    assert pointers(adjust()) == ["/quantity", "/reason"]


def test_more_pieces_than_32_bits_count_are_no_error() -> None:
    product = make_product(pieces=0)
    StockItem.objects.update(on_hand=2**31 - 2)
    Movement.objects.bulk_create(Movement(product=product, kind="adjustment", quantity=2**30 - 1) for _ in range(2))
    assert body(adjust(quantity=1_000_000, reason="many"))["on_hand"] == 2**31 - 2 + 1_000_000


def test_an_unknown_product_is_404() -> None:
    check_problem(adjust(quantity=1, reason="found"), 404, "not_found")


def test_a_product_that_is_off_sale_can_still_be_counted() -> None:
    make_product(pieces=1, is_active=False)
    assert adjust(quantity=1, reason="found").status_code == 201


def test_the_ledger_cannot_be_changed_or_deleted() -> None:
    make_product(pieces=1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Movement.objects.update(quantity=2)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Movement.objects.all()._raw_delete("default")
    assert counts() == (1, 0)


def test_the_database_holds_no_reservation_beyond_what_is_there() -> None:
    make_product(pieces=1)
    for fields in ({"reserved": 2}, {"reserved": -1}, {"on_hand": -1}):
        with pytest.raises(DatabaseError, match="stock_reserved_within_on_hand"), transaction.atomic():
            StockItem.objects.update(**fields)


@pytest.mark.django_db(transaction=True)
def test_no_adjustment_is_lost_when_many_come_at_once() -> None:
    product = make_product(pieces=20)

    def take_one(number: int) -> bool:
        try:
            stock.adjust(product, quantity=-1, reason=f"taken {number}")
        except BelowReserved:
            return False
        return True

    assert sum(at_once(40, take_one)) == 20
    assert counts() == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_an_adjustment_that_cannot_stand_in_the_ledger_changes_nothing() -> None:
    product = make_product(pieces=20)
    with pytest.raises(DatabaseError):
        stock.adjust(product, quantity=-1, reason="x" * 300)
    assert counts() == (20, 0)
