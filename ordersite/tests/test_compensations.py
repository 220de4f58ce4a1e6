from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction

from events.subscriptions import Compensation
from events.tests.servers import a_transaction, meanwhile, waiting_for_locks
from events.tests.waiting import until
from inventory import stock
from inventory.catalogue import add_product
from inventory.models import Reservation
from orders.models import Order
from orders.services import Item, confirm_orders, place_order
from ordersite import compensations
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order() -> Order:
    """A pending order with its item reserved."""
    product = add_product(sku="A", name="An A", price=Decimal("2.00"))
    stock.adjust(product, quantity=10, reason="opening")
    order = place_order(user_id=User.objects.create_user("ada@example.com").id, items=[Item("A", 3)])
    stock.reserve({order.id: {"A": 3}})
    return order


def fate(order_id: UUID) -> tuple[str, str]:
    return Order.objects.get(pk=order_id).status, Reservation.objects.get(order_id=order_id).state


def in_transaction(step: Compensation, order_id: UUID) -> None:
    with transaction.atomic():
        step(order_id)


def test_in_place_of_a_confirmation_the_order_is_rejected_and_its_stock_freed(order: Order) -> None:
    in_transaction(compensations.reject_and_release, order.id)
    assert fate(order.id) == ("rejected", "released")


def test_an_order_that_was_confirmed_all_the_same_keeps_its_stock(order: Order) -> None:
    confirm_orders([order.id])
    in_transaction(compensations.reject_and_release, order.id)
    assert fate(order.id) == ("confirmed", "active")


def test_an_order_that_is_confirmed_at_the_same_moment_keeps_its_stock(order: Order) -> None:
    with a_transaction() as other:
        other.execute("UPDATE orders_order SET status = 'confirmed' WHERE id = %s", [order.id])
        with meanwhile(lambda: in_transaction(compensations.reject_and_release, order.id)) as compensated:
            until("it waits for the confirmation", waiting_for_locks)
            other.commit()
    compensated.result()
    assert fate(order.id) == ("confirmed", "active")


def test_in_place_of_a_release_the_stock_is_freed(order: Order) -> None:
    in_transaction(compensations.release, order.id)
    assert fate(order.id) == ("pending", "released")
