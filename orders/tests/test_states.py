"""The table of states is held twice, in Python and by a trigger. They are compared pair by pair."""

from itertools import product
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from orders.models import Order
from orders.states import TRANSITIONS, Status, sources
from testing.api import make_user
from testing.shop import make_product, place

pytestmark = pytest.mark.django_db
# A way from pending to each status.
WAYS: dict[Status, list[Status]] = {
    Status.PENDING: [],
    Status.CONFIRMED: [Status.CONFIRMED],
    Status.REJECTED: [Status.REJECTED],
    Status.CANCELLED: [Status.CANCELLED],
    Status.FULFILLED: [Status.CONFIRMED, Status.FULFILLED],
}


def order_at(status: Status) -> Order:
    make_product("CUP")
    order = place(make_user(), CUP=1)
    for step in WAYS[status]:
        Order.objects.update(status=step)
    return order


def the_database_permits(to: str) -> bool:
    try:
        with transaction.atomic():
            Order.objects.update(status=to)
    except IntegrityError:  # from the trigger too: its SQLSTATE is that of a violated check
        return False
    return True


@pytest.mark.parametrize(("before", "after"), [pair for pair in product(Status, Status) if pair[0] != pair[1]])
def test_the_database_permits_exactly_what_the_table_says(before: Status, after: Status) -> None:
    order_at(before)
    assert the_database_permits(after) == (after in TRANSITIONS[before])


@pytest.mark.parametrize("status", list(Status))
def test_staying_is_no_step(status: Status) -> None:
    order_at(status)
    assert the_database_permits(status)


def test_the_database_knows_no_other_status() -> None:
    order_at(Status.PENDING)
    assert not the_database_permits("lost")


def test_every_status_stands_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert set(sources(Status.CANCELLED)) == {Status.PENDING, Status.CONFIRMED}


def test_the_promised_life_of_an_order() -> None:
    promised = {
        ("pending", "confirmed"),
        ("pending", "rejected"),
        ("pending", "cancelled"),
        ("confirmed", "fulfilled"),
        ("confirmed", "cancelled"),
    }
    assert {(before.value, after.value) for before, targets in TRANSITIONS.items() for after in targets} == promised


def test_other_columns_of_a_final_order_can_change() -> None:
    order_at(Status.FULFILLED)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_order SET status = status, rejection_reason = 'x'")
        changed: Any = cursor.rowcount
    assert changed == 1
