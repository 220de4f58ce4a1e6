from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from events.errors import PermanentError
from events.models import Delivery, Event
from events.tests.helpers import received
from events.tests.servers import a_transaction, at_once, lock, meanwhile, waiting_for_locks
from events.tests.waiting import until
from eventtypes.orders import Line, OrderCreatedV1
from inventory import stock
from inventory.models import Product, Reservation
from inventory.tasks import reserve_items
from testing.shop import counts, make_product

pytestmark = pytest.mark.django_db


def order(order_id: UUID, **quantities: int) -> OrderCreatedV1:
    price = Decimal(1)
    lines = [Line(sku=s, name=s, quantity=q, unit_price=price, line_total=q * price) for s, q in quantities.items()]
    return OrderCreatedV1(
        order_id=order_id,
        number="O-1",
        user_id=uuid4(),
        currency="EUR",
        total=Decimal(sum(quantities.values())),
        items=tuple(lines),
    )


def refused(order_id: UUID, wanted: Mapping[str, int]) -> list[tuple[str, int, int]]:
    return [(short.sku, short.requested, short.available) for short in stock.reserve({order_id: wanted})[order_id]]


def test_pieces_are_set_aside() -> None:
    make_product("CUP", pieces=10)
    make_product("POT", pieces=2)
    order_id = uuid4()
    stock.reserve({order_id: {"POT": 2, "CUP": 3}})
    assert (counts("CUP"), counts("POT")) == ((10, 3), (2, 2))
    rows = Reservation.objects.order_by("product__sku").values_list("order_id", "product__sku", "quantity", "state")
    assert list(rows) == [(order_id, "CUP", 3, "active"), (order_id, "POT", 2, "active")]


def test_where_one_is_short_nothing_is_set_aside_and_each_shortage_is_told() -> None:
    for sku, pieces in (("CUP", 10), ("POT", 1), ("TIN", 0)):
        make_product(sku, pieces=pieces)
    assert refused(uuid4(), {"TIN": 1, "CUP": 3, "POT": 2}) == [("TIN", 1, 0), ("POT", 2, 1)]
    assert (counts("CUP"), counts("POT"), counts("TIN")) == ((10, 0), (1, 0), (0, 0))
    assert not Reservation.objects.exists()


def test_what_others_reserved_is_not_available() -> None:
    make_product(pieces=10)
    stock.reserve({uuid4(): {"CUP": 8}})
    assert refused(uuid4(), {"CUP": 3}) == [("CUP", 3, 2)]
    stock.reserve({uuid4(): {"CUP": 2}})
    assert counts() == (10, 10)


def test_reserving_twice_for_one_order_changes_nothing() -> None:
    make_product(pieces=10)
    order_id = uuid4()
    for _ in range(3):
        stock.reserve({order_id: {"CUP": 3}})
    assert counts() == (10, 3)


def test_an_order_that_was_released_is_not_reserved_again() -> None:
    make_product(pieces=10)
    order_id = uuid4()
    stock.reserve({order_id: {"CUP": 3}})
    stock.release([order_id])
    stock.reserve({order_id: {"CUP": 3}})
    assert counts() == (10, 0)


def test_a_product_that_went_off_sale_after_the_order_is_still_delivered() -> None:
    make_product(pieces=1)
    Product.objects.update(is_active=False)
    stock.reserve({uuid4(): {"CUP": 1}})
    assert counts() == (1, 1)


def test_a_product_without_a_stock_row_is_an_error_that_trying_again_does_not_help() -> None:
    make_product("CUP")
    Product.objects.create(sku="GHOST", name="Ghost", price=1)
    for sku in ("GHOST", "NEVER"):
        with pytest.raises(PermanentError, match=sku):
            stock.reserve({uuid4(): {"CUP": 1, sku: 1}})
    assert counts() == (10, 0)


def test_a_line_of_an_order_has_one_reservation_in_the_database() -> None:
    product = make_product()
    order_id = uuid4()
    Reservation.objects.create(order_id=order_id, product=product, quantity=1)
    with pytest.raises(DatabaseError, match="reservation_once_per_order_line"), transaction.atomic():
        Reservation.objects.create(order_id=order_id, product=product, quantity=1)


def test_the_handler_says_that_the_stock_is_reserved() -> None:
    make_product(pieces=10)
    order_id = uuid4()
    reserve_items(received(order(order_id, CUP=3)))
    event = Event.objects.get()
    assert (event.type, event.subject, event.data) == ("stock.reserved.v1", order_id, {"order_id": str(order_id)})
    assert Delivery.objects.get().handler == "orders.confirm"
    assert counts() == (10, 3)


def test_the_handler_says_what_was_short() -> None:
    make_product(pieces=2)
    order_id = uuid4()
    reserve_items(received(order(order_id, CUP=3)))
    event = Event.objects.get()
    assert (event.type, event.subject) == ("stock.rejected.v1", order_id)
    assert event.data["shortages"] == [{"sku": "CUP", "requested": 3, "available": 2}]
    assert Delivery.objects.get().handler == "orders.reject"
    assert counts() == (2, 0)


@pytest.mark.django_db(transaction=True)
def test_of_two_hundred_orders_for_fifty_pieces_at_once_fifty_are_served() -> None:
    make_product(pieces=50)

    def reserve_one(_: int) -> bool:
        return not refused(uuid4(), {"CUP": 1})

    assert sum(at_once(200, reserve_one)) == 50
    assert counts() == (50, 50)


@pytest.mark.django_db(transaction=True)
def test_orders_for_several_products_in_any_order_do_not_lock_each_other_out() -> None:
    skus = ["A", "B", "C", "D"]
    for sku in skus:
        make_product(sku, pieces=100)

    def reserve_all(number: int) -> None:
        turned = skus[number % 4 :] + skus[: number % 4]
        stock.reserve({uuid4(): dict.fromkeys(turned, 1)})

    at_once(60, reserve_all)
    assert {counts(sku) for sku in skus} == {(100, 60)}


@pytest.mark.django_db(transaction=True)
def test_copies_of_one_order_at_once_reserve_it_once() -> None:
    make_product(pieces=50)
    order_id = uuid4()

    def reserve_it(_: int) -> bool:
        try:
            stock.reserve({order_id: {"CUP": 2}})
        except DatabaseError:  # the unique reservation: the copy is rolled back
            return False
        return True

    assert any(at_once(10, reserve_it))
    assert counts() == (50, 2)


def test_a_batch_reserves_what_one_after_the_other_would() -> None:
    make_product("CUP", pieces=5)
    make_product("POT", pieces=9)
    stock.reserve({(already := uuid4()): {"POT": 1}})
    first, second, third, fourth = (uuid4() for _ in range(4))
    wanted = {first: {"CUP": 3, "POT": 2}, second: {"CUP": 3}, already: {"POT": 1}, third: {"POT": 1, "CUP": 2}}
    shortages = stock.reserve(wanted | {fourth: {"POT": 6, "CUP": 1}})
    assert {order_id: len(short) for order_id, short in shortages.items()} == {
        first: 0,
        second: 1,
        already: 0,
        third: 0,
        fourth: 2,
    }
    assert [(s.sku, s.requested, s.available) for s in shortages[fourth]] == [("POT", 6, 5), ("CUP", 1, 0)]
    assert (counts("CUP"), counts("POT")) == ((5, 5), (9, 4))
    assert set(Reservation.objects.values_list("order_id", flat=True)) == {first, already, third}


def test_a_batch_says_for_each_order_what_became_of_it_under_its_own_request() -> None:
    make_product(pieces=1)
    events = [received(order(uuid4(), CUP=1), correlation_id=f"request-{number}") for number in range(2)]
    reserve_items(*events)
    told = Event.objects.order_by("correlation_id").values_list("subject", "type", "correlation_id")
    assert list(told) == [
        (events[0].subject, "stock.reserved.v1", "request-0"),
        (events[1].subject, "stock.rejected.v1", "request-1"),
    ]


@pytest.mark.django_db(transaction=True)
def test_batches_at_once_sell_each_piece_once() -> None:
    make_product("CUP", pieces=20)
    make_product("POT", pieces=20)

    def batch(number: int) -> int:
        skus = ("CUP", "POT") if number % 2 else ("POT", "CUP")
        wanted = {uuid4(): dict.fromkeys(skus, 1) for _ in range(10)}
        return sum(not short for short in stock.reserve(wanted).values())

    assert sum(at_once(6, batch)) == 20
    assert (counts("CUP"), counts("POT")) == ((20, 20), (20, 20))


STOCK = "inventory_stockitem"


@pytest.mark.django_db(transaction=True)
def test_stock_is_locked_in_one_order_so_that_two_orders_never_deadlock() -> None:
    products = sorted((make_product(sku, pieces=9) for sku in ("D", "C", "B", "A")), key=lambda product: product.id)
    stock.adjust(products[0], quantity=1, reason="it moves to the end of the table")
    with a_transaction() as other:
        lock(other, STOCK, products[0].id, key="product_id")
        wanted = {product.sku: 1 for product in reversed(products)}
        with meanwhile(lambda: stock.reserve({uuid4(): wanted})) as reserved:
            until("it waits for the first product", waiting_for_locks)
            lock(other, STOCK, *(product.id for product in products[1:]), key="product_id")
            other.rollback()
    reserved.result()
    assert counts(products[0].sku) == (10, 1)


@pytest.mark.django_db(transaction=True)
def test_orders_for_other_products_are_not_waited_for() -> None:
    make_product("CUP")
    pot = make_product("POT")
    with a_transaction() as other, transaction.atomic(), connection.cursor() as cursor:
        lock(other, STOCK, pot.id, key="product_id")
        cursor.execute("SET LOCAL lock_timeout = '50ms'")
        stock.reserve({uuid4(): {"CUP": 1}})
    assert (counts("CUP"), counts("POT")) == ((10, 1), (10, 0))


@pytest.mark.django_db(transaction=True)
def test_what_somebody_else_takes_at_the_same_moment_is_not_sold_again() -> None:
    product = make_product(pieces=1)
    with a_transaction() as other:
        other.execute("UPDATE inventory_stockitem SET reserved = 1 WHERE product_id = %s", [product.id])
        with meanwhile(lambda: refused(uuid4(), {"CUP": 1})) as reserved:
            until("it waits for the piece", waiting_for_locks)
            other.commit()
    assert reserved.result() == [("CUP", 1, 0)]
    assert not Reservation.objects.exists()
