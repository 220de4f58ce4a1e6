from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from events.models import Delivery, Event
from events.tests.helpers import received
from events.tests.servers import a_transaction, at_once, lock, meanwhile, waiting_for_locks
from events.tests.waiting import until
from eventtypes.stock import Shortage, StockRejectedV1, StockReservedV1
from orders.models import Order, StatusChange
from orders.services import (
    WrongStatus,
    cancel_order,
    confirm_orders,
    fulfil_order,
    is_pending,
    reject_orders,
)
from orders.tasks import confirm, reject
from testing.api import body, check_problem, client_of, make_user
from testing.shop import make_product, place, place_confirmed
from users.models import User

pytestmark = pytest.mark.django_db


def cancel(user: User, order: Order) -> Any:
    return client_of(user).post(f"/api/v1/orders/{order.id}/cancel")


def fulfil(user: User, order: Order) -> Any:
    return client_of(user).post(f"/api/v1/orders/{order.id}/fulfil")


def status(order: Order) -> str:
    return Order.objects.values_list("status", flat=True).get(pk=order.pk)


def last_event(order: Order) -> Event:
    return Event.objects.filter(subject=order.id).latest("sequence")


def test_reserved_stock_confirms_the_order(ada: User) -> None:
    order = place(ada, CUP=2)
    confirm(received(StockReservedV1(order_id=order.id)))
    assert status(order) == "confirmed"
    event = last_event(order)
    assert (event.type, event.sequence, event.data["total"]) == ("order.confirmed.v1", 2, "5.00")
    assert set(event.deliveries.values_list("handler", flat=True)) == {
        "notifications.send_order_confirmed",
        "analytics.track_order",
    }


def test_short_stock_rejects_the_order_and_says_what_was_short(ada: User) -> None:
    order = place(ada, CUP=2)
    shortages = (Shortage(sku="CUP", requested=2, available=1), Shortage(sku="POT", requested=9, available=0))
    reject(received(StockRejectedV1(order_id=order.id, shortages=shortages)))
    reason = "Out of stock: CUP (2 ordered, 1 available); POT (9 ordered, 0 available)"
    told = body(client_of(ada).get(f"/api/v1/orders/{order.id}"))
    assert (told["status"], told["rejection_reason"]) == ("rejected", reason)
    assert (last_event(order).type, last_event(order).data["reason"]) == ("order.rejected.v1", reason)


@pytest.mark.parametrize("copies", [1, 3])
def test_confirming_a_cancelled_order_is_done_and_changes_nothing(ada: User, copies: int) -> None:
    order = place(ada, CUP=1)
    cancel_order(order, by="customer")
    events = Event.objects.count()
    for _ in range(copies):
        confirm(received(StockReservedV1(order_id=order.id)))
        assert reject_orders({order.id: "late"}) == 0
    assert status(order) == "cancelled"
    assert Event.objects.count() == events


def test_confirming_twice_publishes_once(ada: User) -> None:
    order = place(ada, CUP=1)
    assert [confirm_orders([order.id]) for _ in range(2)] == [1, 0]
    assert Event.objects.filter(type="order.confirmed.v1").count() == 1


def test_an_order_that_is_gone_is_nothing_to_confirm(ada: User) -> None:
    assert confirm_orders([uuid4()]) == 0


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_customer_cancels_until_the_order_is_sent(ada: User, confirmed: bool) -> None:
    order = place_confirmed(ada, CUP=1) if confirmed else place(ada, CUP=1)
    answer = cancel(ada, order)
    assert (answer.status_code, body(answer)["status"]) == (200, "cancelled")
    assert body(answer) == body(client_of(ada).get(f"/api/v1/orders/{order.id}"))
    assert body(answer)["updated_at"] >= body(answer)["created_at"]
    event = last_event(order)
    assert (event.type, event.data["reason"]) == ("order.cancelled.v1", "customer")
    assert set(event.deliveries.values_list("handler", flat=True)) == {
        "inventory.release_items",
        "notifications.send_order_cancelled",
        "analytics.track_order",
    }


def test_staff_cancel_for_a_customer_and_the_event_says_so(ada: User, sam: User) -> None:
    order = place(ada, CUP=1)
    assert cancel(sam, order).status_code == 200
    assert last_event(order).data["reason"] == "staff"
    assert StatusChange.objects.latest("id").reason == "staff"


def test_staff_who_cancel_their_own_order_do_so_as_customers(ada: User, sam: User) -> None:
    order = place(sam, CUP=1)
    cancel(sam, order)
    assert last_event(order).data["reason"] == "customer"


def test_staff_fulfil_a_confirmed_order(ada: User, sam: User) -> None:
    order = place_confirmed(ada, CUP=1)
    answer = fulfil(sam, order)
    assert (answer.status_code, body(answer)["status"]) == (200, "fulfilled")
    event = last_event(order)
    assert event.type == "order.fulfilled.v1"
    assert set(event.deliveries.values_list("handler", flat=True)) == {
        "inventory.ship_items",
        "notifications.send_order_fulfilled",
        "analytics.track_order",
    }


@pytest.mark.parametrize("gone_to", ["fulfilled", "rejected", "cancelled"])
def test_a_final_order_can_neither_be_cancelled_nor_fulfilled(ada: User, sam: User, gone_to: str) -> None:
    order = place(ada, CUP=1)
    if gone_to == "rejected":
        reject_orders({order.id: "short"})
    elif gone_to == "cancelled":
        cancel_order(order, by="customer")
    else:
        confirm_orders([order.id])
        fulfil_order(order)
    events = Event.objects.count()
    for answer in (cancel(ada, order), cancel(sam, order), fulfil(sam, order)):
        problem = check_problem(answer, 409, "wrong_status")
        assert gone_to in problem["detail"]
    assert status(order) == gone_to
    assert Event.objects.count() == events


def test_a_refusal_tells_of_the_status_that_the_order_has_by_now(ada: User) -> None:
    order = place(ada, CUP=1)
    reject_orders({order.id: "short"})
    assert order.status == "pending"  # as it was read before
    with pytest.raises(WrongStatus, match="is rejected, so it cannot be cancelled now"):
        cancel_order(order, by="customer")


def test_a_pending_order_is_not_fulfilled(ada: User, sam: User) -> None:
    order = place(ada, CUP=1)
    check_problem(fulfil(sam, order), 409, "wrong_status")
    assert status(order) == "pending"


def test_a_customer_does_not_fulfil(ada: User) -> None:
    order = place_confirmed(ada, CUP=1)
    check_problem(fulfil(ada, order), 403, "permission_denied")
    assert status(order) == "confirmed"


def test_the_orders_of_others_are_not_there(ada: User) -> None:
    order = place(ada, CUP=1)
    grace = make_user("grace")
    check_problem(cancel(grace, order), 404, "not_found")
    assert status(order) == "pending"


def test_each_step_stands_in_the_history(ada: User, sam: User) -> None:
    order = place_confirmed(ada, CUP=1)
    fulfil(sam, order)
    steps = StatusChange.objects.filter(order=order).order_by("id").values_list("from_status", "to_status")
    assert list(steps) == [("", "pending"), ("pending", "confirmed"), ("confirmed", "fulfilled")]


def test_the_events_of_a_life_are_numbered_and_carry_the_same_order(ada: User, sam: User) -> None:
    order = place_confirmed(ada, CUP=2)
    fulfil(sam, order)
    events = list(Event.objects.filter(subject=order.id).order_by("sequence"))
    assert [event.sequence for event in events] == [1, 2, 3]
    assert all(event.data == events[0].data for event in events)
    assert Decimal(events[0].data["total"]) == order.total


@pytest.mark.django_db(transaction=True)
def test_of_many_who_end_an_order_at_once_one_succeeds_and_one_event_is_published() -> None:
    make_product("CUP")
    order = place_confirmed(make_user("ada"), CUP=1)

    def end(number: int) -> bool:
        mine = Order.objects.get(pk=order.pk)
        try:
            if number % 2:
                fulfil_order(mine)
            else:
                cancel_order(mine, by="customer")
        except WrongStatus:
            return False
        return True

    assert sum(at_once(20, end)) == 1
    assert Event.objects.filter(subject=order.id).count() == 3
    ended = [event.type for event in Event.objects.order_by("sequence")][-1]
    assert ended == f"order.{status(order)}.v1"
    assert Delivery.objects.filter(sequence=3).count() == 3


def confirm_one(order: Order) -> None:
    assert confirm_orders([order.id]) == 1


def reject_one(order: Order) -> None:
    assert reject_orders({order.id: "short"}) == 1


def cancel_one(order: Order) -> None:
    assert cancel_order(order, by="customer").id == order.id


def fulfil_one(order: Order) -> None:
    confirm_one(order)
    assert fulfil_order(order).id == order.id


@pytest.mark.parametrize("step", [confirm_one, reject_one, cancel_one, fulfil_one])
def test_a_step_moves_its_order_and_no_other(ada: User, step: Callable[[Order], None]) -> None:
    older, order, younger = (place(ada, CUP=1) for _ in range(3))
    Order.objects.update(updated_at="2020-01-01T00:00:00Z")
    step(order)
    changed = Order.objects.filter(updated_at__year__gt=2020)
    assert [one.pk for one in changed] == [order.pk]
    assert status(order) != "pending"
    assert [status(other) for other in (older, younger)] == ["pending", "pending"]
    assert {change.order_id for change in StatusChange.objects.exclude(from_status="")} == {order.pk}
    assert not is_pending(order.id)
    assert is_pending(older.id)


def test_each_of_several_orders_is_rejected_for_its_own_reason(ada: User) -> None:
    orders = [place(ada, CUP=1) for _ in range(3)]
    events = [
        received(
            StockRejectedV1(order_id=order.id, shortages=(Shortage(sku="CUP", requested=number, available=0),)),
            correlation_id=order.number,
        )
        for number, order in enumerate(orders)
    ]
    reject(*events)
    reasons = {order.id: f"Out of stock: CUP ({number} ordered, 0 available)" for number, order in enumerate(orders)}
    assert dict(Order.objects.values_list("id", "rejection_reason")) == reasons
    assert dict(StatusChange.objects.filter(to_status="rejected").values_list("order_id", "reason")) == reasons
    told = Event.objects.filter(type="order.rejected.v1").values_list("subject", "data__reason", "correlation_id")
    assert set(told) == {(order.id, reasons[order.id], order.number) for order in orders}


def test_a_batch_confirms_those_that_are_pending_and_leaves_the_others(ada: User) -> None:
    orders = [place(ada, CUP=1) for _ in range(3)]
    cancel_order(orders[1], by="customer")
    confirm(*[received(StockReservedV1(order_id=order.id), correlation_id=order.number) for order in orders])
    assert confirm_orders([order.id for order in orders]) == 0
    statuses = Order.objects.order_by("id").values_list("status", flat=True)
    assert list(statuses) == ["confirmed", "cancelled", "confirmed"]
    confirmed = Event.objects.filter(type="order.confirmed.v1").values_list("subject", "correlation_id")
    assert set(confirmed) == {(order.id, order.number) for order in (orders[0], orders[2])}
    assert StatusChange.objects.filter(to_status="confirmed").count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_batch_waits_for_a_cancellation_at_the_same_moment_and_then_leaves_that_order_alone() -> None:
    make_product("CUP")
    ada = make_user("ada")
    orders = [place(ada, CUP=1) for _ in range(3)]
    with a_transaction() as other:
        other.execute("UPDATE orders_order SET status = 'cancelled' WHERE id = %s", [orders[1].id])
        with meanwhile(lambda: confirm_orders([order.id for order in orders])) as confirmed:
            until("it waits for the order that is cancelled", waiting_for_locks)
            other.commit()
    assert confirmed.result() == 2
    assert [status(order) for order in orders] == ["confirmed", "cancelled", "confirmed"]
    told = Event.objects.filter(type="order.confirmed.v1").values_list("subject", flat=True)
    assert set(told) == {orders[0].id, orders[2].id}


@pytest.mark.django_db(transaction=True)
def test_a_batch_locks_its_orders_in_one_order_so_that_two_never_deadlock() -> None:
    make_product("CUP")
    ada = make_user("ada")
    orders = [place(ada, CUP=1) for _ in range(4)]
    Order.objects.filter(pk=orders[0].pk).update(rejection_reason="moved to the end of the table")
    with a_transaction() as other:
        lock(other, "orders_order", orders[0].id)
        with meanwhile(lambda: confirm_orders([order.id for order in orders])) as confirmed:
            until("it waits for the first order", waiting_for_locks)
            lock(other, "orders_order", *[order.id for order in orders[1:]])
            other.rollback()
    assert confirmed.result() == 4
