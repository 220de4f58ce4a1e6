from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, transaction

from events.tests.helpers import received
from events.tests.servers import a_transaction, at_once, lock, meanwhile, waiting_for_locks
from events.tests.waiting import until
from eventtypes.orders import Line, OrderCancelledV1, OrderFulfilledV1
from inventory import stock
from inventory.models import Movement, Reservation
from inventory.tasks import release_items, ship_items
from testing.shop import counts, make_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def reserved() -> UUID:
    """An order with 3 of 10 cups and 2 of 2 pots set aside."""
    make_product("CUP", pieces=10)
    make_product("POT", pieces=2)
    order_id = uuid4()
    stock.reserve({order_id: {"CUP": 3, "POT": 2}})
    return order_id


def facts(order_id: UUID) -> dict[str, Any]:
    line = Line(sku="CUP", name="Cup", quantity=3, unit_price=Decimal(1), line_total=Decimal(3))
    return {
        "order_id": order_id,
        "number": "O-1",
        "user_id": uuid4(),
        "currency": "EUR",
        "total": Decimal(3),
        "items": (line,),
    }


def test_released_pieces_can_be_ordered_again(reserved: UUID) -> None:
    assert stock.release([reserved]) == 2
    assert (counts("CUP"), counts("POT")) == ((10, 0), (2, 0))
    assert set(Reservation.objects.values_list("state", flat=True)) == {"released"}
    stock.reserve({uuid4(): {"POT": 2}})


def test_shipped_pieces_leave_the_shelf_and_stand_in_the_ledger(reserved: UUID) -> None:
    assert stock.ship([reserved]) == 2
    assert (counts("CUP"), counts("POT")) == ((7, 0), (0, 0))
    shipped = Movement.objects.filter(kind="shipment").order_by("product__sku")
    assert list(shipped.values_list("product__sku", "quantity", "order_id")) == [
        ("CUP", -3, reserved),
        ("POT", -2, reserved),
    ]


@pytest.mark.parametrize("first", [stock.release, stock.ship])
@pytest.mark.parametrize("second", [stock.release, stock.ship])
def test_the_first_of_two_ends_decides(
    reserved: UUID, first: Callable[[list[UUID]], int], second: Callable[[list[UUID]], int]
) -> None:
    assert first([reserved]) == 2
    before = counts("CUP")
    assert second([reserved]) == 0
    assert counts("CUP") == before


@pytest.mark.parametrize("end", [stock.release, stock.ship])
def test_an_order_with_nothing_set_aside_is_fine(reserved: UUID, end: Callable[[list[UUID]], int]) -> None:
    assert end([uuid4()]) == 0
    assert counts("CUP") == (10, 3)


def test_other_orders_keep_what_they_have(reserved: UUID) -> None:
    other = uuid4()
    stock.reserve({other: {"CUP": 4}})
    stock.release([reserved])
    assert counts("CUP") == (10, 4)
    stock.ship([other])
    assert counts("CUP") == (6, 0)


@pytest.mark.parametrize("end", [stock.release, stock.ship])
def test_several_orders_end_together(reserved: UUID, end: Callable[[list[UUID]], int]) -> None:
    stock.reserve({(other := uuid4()): {"CUP": 4}, (third := uuid4()): {"CUP": 1}})
    assert end([other, reserved]) == 3
    on_hand = 10 if end is stock.release else 3
    assert counts("CUP") == (on_hand, 1)
    assert set(Reservation.objects.filter(state="active").values_list("order_id", flat=True)) == {third}
    shipped = set(Movement.objects.filter(kind="shipment").values_list("order_id", "product__sku", "quantity"))
    ledger = {(reserved, "CUP", -3), (reserved, "POT", -2), (other, "CUP", -4)}
    assert shipped == (set() if end is stock.release else ledger)


def test_a_line_ships_once_in_the_database(reserved: UUID) -> None:
    stock.ship([reserved])
    shipped = Movement.objects.filter(kind="shipment").latest("id")
    with pytest.raises(DatabaseError, match="movement_ships_once"), transaction.atomic():
        Movement.objects.create(product=shipped.product, kind="shipment", quantity=-2, order_id=reserved)


def test_the_handler_of_a_cancelled_order_releases(reserved: UUID) -> None:
    release_items(received(OrderCancelledV1(**facts(reserved), reason="customer")))
    assert counts("CUP") == (10, 0)


def test_the_handler_of_a_fulfilled_order_ships(reserved: UUID) -> None:
    ship_items(received(OrderFulfilledV1(**facts(reserved))))
    assert counts("CUP") == (7, 0)


@pytest.mark.django_db(transaction=True)
def test_releasing_and_shipping_at_once_end_an_order_once() -> None:
    make_product("CUP", pieces=100)
    orders = [uuid4() for _ in range(10)]
    for order_id in orders:
        stock.reserve({order_id: {"CUP": 2}})

    def end(number: int) -> tuple[bool, int]:
        ship = number % 2 == 0
        return ship, (stock.ship if ship else stock.release)([orders[number // 4]])

    outcomes = at_once(40, end)
    assert sum(lines for _, lines in outcomes) == 10
    shipped = sum(lines for ship, lines in outcomes if ship)
    assert counts("CUP") == (100 - 2 * shipped, 0)


@pytest.mark.django_db(transaction=True)
def test_an_orders_reservations_are_locked_in_the_order_of_products_so_that_two_never_deadlock() -> None:
    first, second = sorted((make_product(sku) for sku in ("B", "A")), key=lambda product: product.id)
    stock.reserve({(order_id := uuid4()): {"A": 1, "B": 1}})
    Reservation.objects.filter(product=first).update(quantity=1)  # it moves to the end of the table
    with a_transaction() as other:
        lock(other, "inventory_reservation", first.id, key="product_id")
        with meanwhile(lambda: stock.release([order_id])) as released:
            until("it waits for the first reservation", waiting_for_locks)
            lock(other, "inventory_reservation", second.id, key="product_id")
            other.rollback()
    assert released.result() == 2


@pytest.mark.parametrize("end", [stock.release, stock.ship])
@pytest.mark.django_db(transaction=True)
def test_what_is_released_at_the_same_moment_is_ended_once(reserved: UUID, end: Callable[[list[UUID]], int]) -> None:
    with a_transaction() as other:
        other.execute("UPDATE inventory_reservation SET state = 'released'")
        other.execute("UPDATE inventory_stockitem SET reserved = 0")
        with meanwhile(lambda: end([reserved])) as ended:
            until("it waits for the reservations", waiting_for_locks)
            other.commit()
    assert ended.result() == 0
    assert (counts("CUP"), counts("POT")) == ((10, 0), (2, 0))
