from uuid import uuid4

import pytest

from inventory import stock
from inventory.models import Movement, Reservation, StockItem
from inventory.selectors import stock_violations
from inventory.tasks import BooksDoNotAgree, check_stock
from testing.shop import make_product

pytestmark = pytest.mark.django_db


def test_the_books_agree_after_every_kind_of_change() -> None:
    make_product("CUP", pieces=10)
    make_product("POT", pieces=0)
    for end in (stock.release, stock.ship, lambda orders: None):
        order_id = uuid4()
        stock.reserve({order_id: {"CUP": 2}})
        end([order_id])
        assert check_stock() == "the books agree"


def test_pieces_that_no_movement_tells_of_are_found() -> None:
    make_product("POT")
    make_product("CUP", pieces=10)
    StockItem.objects.filter(product__sku="CUP").update(on_hand=11)
    (violation,) = stock_violations()
    assert (violation.sku, violation.on_hand, violation.moved) == ("CUP", 11, 10)
    with pytest.raises(BooksDoNotAgree, match="CUP"):
        check_stock()


def test_a_reservation_that_the_stock_does_not_know_is_found() -> None:
    product = make_product(pieces=10)
    Reservation.objects.create(order_id=uuid4(), product=product, quantity=3)
    (violation,) = stock_violations()
    assert (violation.reserved, violation.active) == (0, 3)


def test_reserved_pieces_that_nobody_reserved_are_found() -> None:
    make_product(pieces=10)
    StockItem.objects.update(reserved=1)
    assert len(stock_violations()) == 1


def test_a_movement_that_the_stock_does_not_know_is_found() -> None:
    product = make_product(pieces=0)
    Movement.objects.create(product=product, kind="adjustment", quantity=5)
    assert len(stock_violations()) == 1
