"""Who watches an order is told each change of its status, once and in order, whatever happens meanwhile."""

import logging
import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from django.db import connection, transaction
from google.rpc import error_details_pb2

from events.tests.waiting import until
from inventory.models import Product
from orders.models import Order
from orders.selectors import moved
from orders.services import cancel_order, confirm_orders, fulfil_order, reject_orders
from rpc.call_log import registry
from rpc.stubs.orders_v1_pb2 import (
    ORDER_STATUS_CANCELLED,
    ORDER_STATUS_CONFIRMED,
    ORDER_STATUS_FULFILLED,
    ORDER_STATUS_PENDING,
    ORDER_STATUS_REJECTED,
    GetOrderRequest,
    WatchOrderRequest,
)
from rpc.tests.serving import (
    WITH_ALL,
    Client,
    Running,
    client_of,
    code,
    committed,
    details,
    end_sessions,
    serving,
)
from testing.shop import make_product, place
from users.models import User

pytestmark = pytest.mark.django_db
MOST = 30
OPTIONS = {"most_watchers": MOST}


@pytest.fixture(scope="module", autouse=True)
def cup(server: Running) -> Product:
    """A product that the server's sessions see."""
    return make_product("CUP")


@pytest.fixture
def order(ada: User) -> Order:
    return placed(ada)


def placed(user: User) -> Order:
    return committed(lambda: place(user, CUP=1))


def confirm(order: Order) -> None:
    assert committed(lambda: confirm_orders([order.id]))


def fulfil(order: Order) -> None:
    committed(lambda: fulfil_order(order))


def watch(client: Client, order: Order) -> Any:
    return client.orders.WatchOrder(WatchOrderRequest(order_id=str(order.id)), **WITH_ALL)


def watchers() -> float:
    return registry.get_sample_value("ordersite_grpc_watchers") or 0.0


def statuses(call: Any) -> list[int]:
    return [told.status for told in call]


def test_the_present_state_comes_first_then_each_step_and_the_end(client: Client, order: Order) -> None:
    call = watch(client, order)
    assert next(call).status == ORDER_STATUS_PENDING
    confirm(order)
    assert next(call).status == ORDER_STATUS_CONFIRMED
    fulfil(order)
    told = next(call)
    assert told.status == ORDER_STATUS_FULFILLED
    assert told == client.orders.GetOrder(GetOrderRequest(order_id=str(order.id)), **WITH_ALL)
    assert list(call) == []
    assert call.code() is grpc.StatusCode.OK


def test_steps_between_two_looks_are_told_each(client: Client, order: Order) -> None:
    call = watch(client, order)
    pending = next(call)

    def confirm_and_cancel() -> None:
        with transaction.atomic():
            confirm_orders([order.id])
            cancel_order(order, by="staff")

    committed(confirm_and_cancel)
    confirmed, cancelled = call
    assert (confirmed.status, cancelled.status) == (ORDER_STATUS_CONFIRMED, ORDER_STATUS_CANCELLED)
    moments = [told.updated_at.ToDatetime() for told in (pending, confirmed, cancelled)]
    assert moments == sorted(moments)


def test_a_rejection_comes_with_its_reason(client: Client, order: Order) -> None:
    call = watch(client, order)
    assert next(call).rejection_reason == ""
    committed(lambda: reject_orders({order.id: "none left"}))
    (told,) = call
    assert (told.status, told.rejection_reason) == (ORDER_STATUS_REJECTED, "none left")


def test_who_comes_back_is_told_the_present_state_first(client: Client, order: Order) -> None:
    first = watch(client, order)
    next(first)
    first.cancel()
    confirm(order)
    second = watch(client, order)
    assert next(second).status == ORDER_STATUS_CONFIRMED
    fulfil(order)
    assert statuses(second) == [ORDER_STATUS_FULFILLED]
    assert statuses(watch(client, order)) == [ORDER_STATUS_FULFILLED]


def test_many_who_watch_one_order_are_told_all_of_it(client: Client, order: Order) -> None:
    calls = [watch(client, order) for _ in range(5)]
    for call in calls:
        next(call)
    confirm(order)
    late = watch(client, order)
    fulfil(order)
    assert [statuses(call) for call in calls] == [[ORDER_STATUS_CONFIRMED, ORDER_STATUS_FULFILLED]] * 5
    assert statuses(late) in ([ORDER_STATUS_CONFIRMED, ORDER_STATUS_FULFILLED], [ORDER_STATUS_FULFILLED])


def test_a_step_that_is_committed_late_is_not_missed(client: Client, ada: User, order: Order) -> None:
    other = placed(ada)
    calls = watch(client, order), watch(client, other)
    for call in calls:
        next(call)
    written, committing = threading.Event(), threading.Event()

    def confirm_late() -> None:
        with transaction.atomic():
            confirm_orders([order.id])
            written.set()
            committing.wait(10)
        connection.close()

    thread = threading.Thread(target=confirm_late)
    thread.start()
    assert written.wait(10)
    confirm(other)
    assert next(calls[1]).status == ORDER_STATUS_CONFIRMED
    committing.set()
    thread.join()
    assert next(calls[0]).status == ORDER_STATUS_CONFIRMED
    for call in calls:
        call.cancel()


def test_a_database_that_was_away_costs_no_step(client: Client, order: Order) -> None:
    call = watch(client, order)
    next(call)
    end_sessions()
    confirm(order)
    fulfil(order)
    assert statuses(call) == [ORDER_STATUS_CONFIRMED, ORDER_STATUS_FULFILLED]


def test_one_look_serves_all_who_watch(client: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    until("nobody watches any more", lambda: watchers() == 0)
    asked: list[int] = []
    calls = [watch(client, placed(ada)) for _ in range(10)]
    for call in calls:
        next(call)

    def counted(told: Sequence[tuple[UUID, str]], *, most: int) -> dict[UUID, Order]:
        asked.append(len(told))
        return moved(told, most=most)

    monkeypatch.setattr("rpc.watches.moved", counted)
    until("a few looks were had", lambda: len(asked) >= 3)
    assert set(asked) == {10}
    for call in calls:
        call.cancel()
    until("nobody watches any more", lambda: watchers() == 0)


def test_no_more_watch_than_there_is_room_for(client: Client, order: Order) -> None:
    until("nobody watches any more", lambda: watchers() == 0)
    calls = [watch(client, order) for _ in range(MOST)]
    for call in calls:
        next(call)
    refused = watch(client, order)
    with pytest.raises(grpc.RpcError) as caught:
        next(refused)
    assert code(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_watchers")
    assert details(caught.value)[error_details_pb2.RetryInfo].retry_delay.seconds == 5
    calls.pop().cancel()
    until("there is room again", lambda: watchers() == MOST - 1)
    calls.append(watch(client, order))
    assert next(calls[-1]).status == ORDER_STATUS_PENDING
    for call in calls:
        call.cancel()
    until("nobody watches any more", lambda: watchers() == 0)


def test_a_deadline_ends_it(client: Client, order: Order) -> None:
    call = client.orders.WatchOrder(
        WatchOrderRequest(order_id=str(order.id)), timeout=0.5, metadata=WITH_ALL["metadata"]
    )
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until("it is forgotten", lambda: watchers() == 0)


def test_many_that_move_on_at_once_are_told_all(client: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpc.watches.AT_ONCE", 2)
    orders = [placed(ada) for _ in range(5)]
    calls = [watch(client, order) for order in orders]
    for call in calls:
        next(call)

    def confirm_all() -> None:
        with transaction.atomic():
            for order in orders:
                confirm_orders([order.id])

    committed(confirm_all)
    assert [next(call).status for call in calls] == [ORDER_STATUS_CONFIRMED] * 5
    for call in calls:
        call.cancel()


def test_an_order_that_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        next(client.orders.WatchOrder(WatchOrderRequest(order_id=str(uuid4())), **WITH_ALL))
    assert code(caught.value) == (grpc.StatusCode.NOT_FOUND, "not_found")


def test_a_server_that_ends_sends_who_watches_to_another(
    client: Client, order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rpc.call_log")
    with serving() as server, client_of(server.port) as other:
        call = watch(other, order)
        assert next(call).status == ORDER_STATUS_PENDING
        server.stop()
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
    assert code(caught.value) == (grpc.StatusCode.UNAVAILABLE, "shutting_down")
    (line,) = (record for record in caplog.records if "WatchOrder: UNAVAILABLE" in record.message)
    assert line.levelname == "INFO"  # nobody is to look after what each deploy does
