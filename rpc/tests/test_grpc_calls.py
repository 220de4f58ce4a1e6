"""Calls over gRPC: what they answer, and what they refuse, by a real server on a real database."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from django.db import connection
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2

from events.tests.waiting import until
from rest.openapi.described import all_codes
from rpc.call_log import registry
from rpc.errors import MOST_TOLD, STATUS
from rpc.lookups import Lookups
from rpc.stubs.orders_v1_pb2 import ORDER_STATUS_CONFIRMED, GetOrderRequest
from rpc.stubs.users_v1_pb2 import BatchGetUsersRequest, GetUserRequest
from rpc.tests.serving import (
    BEARER,
    WITH_ALL,
    Client,
    Health,
    Lock,
    code,
    committed,
    details,
    end_sessions,
    queries,
)
from testing.api import make_user
from testing.shop import make_product, place_confirmed
from users.models import User

pytestmark = pytest.mark.django_db
OPTIONS = {"threads": 2}
AN_ID = "75ec6eb4-78e4-4aea-aa9a-27c03fde85bc"


def refused(method: Any, request: Any, **how: Any) -> Any:
    """The error of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        method(request, **(WITH_ALL | how))
    return caught.value


def counted(method: str, status: str) -> float:
    labels = {"method": method, "code": status}
    return registry.get_sample_value("ordersite_grpc_requests_total", labels) or 0.0


def test_a_person_is_told_by_id(client: Client, ada: User) -> None:
    told = client.users.GetUser(GetUserRequest(user_id=str(ada.id)), **WITH_ALL)
    assert (told.id, told.email, told.full_name) == (str(ada.id), "ada@example.com", "Ada")
    ada.refresh_from_db()
    assert told.created_at.ToDatetime(ada.created_at.tzinfo) == ada.created_at


def test_many_people_are_told_without_those_who_are_not_there(client: Client, ada: User) -> None:
    grace = committed(lambda: make_user("grace"))
    asked = [str(ada.id), str(uuid4()), str(grace.id), str(ada.id).upper()]
    told = client.users.BatchGetUsers(BatchGetUsersRequest(user_ids=asked), **WITH_ALL)
    assert sorted(user.email for user in told.users) == ["ada@example.com", "grace@example.com"]
    assert client.users.BatchGetUsers(BatchGetUsersRequest(), **WITH_ALL).users == []


def test_an_order_is_told_whole(client: Client, ada: User) -> None:
    committed(lambda: make_product("CUP"))
    order = committed(lambda: place_confirmed(ada, CUP=3))
    told = client.orders.GetOrder(GetOrderRequest(order_id=str(order.id)), **WITH_ALL)
    assert (told.id, told.number, told.user_id) == (str(order.id), order.number, str(order.user_id))
    assert (told.status, told.currency, told.total) == (ORDER_STATUS_CONFIRMED, order.currency, str(order.total))
    (line,) = order.lines.all()
    (item,) = told.items
    assert (item.sku, item.name, item.quantity) == ("CUP", line.name, 3)
    assert (item.unit_price, item.line_total) == (str(line.unit_price), str(line.line_total))
    assert told.updated_at.ToDatetime(order.updated_at.tzinfo) == order.updated_at


def test_what_is_not_there_is_not_found(client: Client) -> None:
    nobody = str(uuid4())
    for method, request in (
        (client.users.GetUser, GetUserRequest(user_id=nobody)),
        (client.orders.GetOrder, GetOrderRequest(order_id=nobody)),
    ):
        error = refused(method, request)
        assert code(error) == (grpc.StatusCode.NOT_FOUND, "not_found")
        assert nobody in error.details()


@pytest.mark.parametrize("text", ["", "7", "0193b1c4", f"{{{AN_ID}}}", AN_ID.replace("-", ""), "é"])
def test_what_is_no_id_is_told_with_its_field(client: Client, text: str) -> None:
    error = refused(client.users.GetUser, GetUserRequest(user_id=text))
    assert code(error) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_input")
    (violation,) = details(error)[error_details_pb2.BadRequest].field_violations
    assert (violation.field, "UUID" in violation.description) == ("user_id", True)


def test_each_wrong_id_of_many_is_told_with_its_place(client: Client) -> None:
    error = refused(client.users.BatchGetUsers, BatchGetUsersRequest(user_ids=["a", str(uuid4()), "b"]))
    violations = details(error)[error_details_pb2.BadRequest].field_violations
    assert [violation.field for violation in violations] == ["user_ids[0]", "user_ids[2]"]


def test_five_hundred_at_once_and_no_more(client: Client) -> None:
    most = [str(uuid4()) for _ in range(500)]
    client.users.BatchGetUsers(BatchGetUsersRequest(user_ids=most), **WITH_ALL)
    error = refused(client.users.BatchGetUsers, BatchGetUsersRequest(user_ids=[*most, most[0]]))
    assert code(error) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_input")


def test_a_message_that_is_too_large_is_refused_unread(client: Client) -> None:
    error = refused(client.users.GetUser, GetUserRequest(user_id="x" * 70_000))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((), "not_authenticated"),
        ((("authorization", "Bearer wrong"),), "authentication_failed"),
        ((("authorization", "Bearer "),), "authentication_failed"),
        ((("authorization", f"Basic {BEARER[0][1].split()[1]}"),), "authentication_failed"),
        ((("authorization", BEARER[0][1] + "x"),), "authentication_failed"),
    ],
)
def test_without_a_service_token_nothing_is_told(client: Client, metadata: Any, expected: str) -> None:
    health = Health(client.channel)
    unknown = client.channel.unary_unary("/ordersite.users.v1.UserService/Nothing", bytes, bytes)
    calls: list[tuple[Any, Any]] = [
        (client.users.GetUser, GetUserRequest(user_id="x")),
        (health.Check, health_pb2.HealthCheckRequest()),
        (unknown, b""),
    ]
    for method, request in calls:
        assert code(refused(method, request, metadata=metadata)) == (grpc.StatusCode.UNAUTHENTICATED, expected)
    with pytest.raises(grpc.RpcError) as caught:
        next(health.Watch(health_pb2.HealthCheckRequest(), timeout=5, metadata=metadata))
    assert code(caught.value) == (grpc.StatusCode.UNAUTHENTICATED, expected)


def test_each_accepted_token_is_accepted(client: Client) -> None:
    metadata = (("authorization", "bearer another-token"),)
    assert refused(client.users.GetUser, GetUserRequest(user_id=str(uuid4())), metadata=metadata).code() is (
        grpc.StatusCode.NOT_FOUND
    )


def test_a_call_without_a_deadline_is_refused(client: Client) -> None:
    error = refused(client.users.GetUser, GetUserRequest(user_id=str(uuid4())), timeout=None)
    assert code(error) == (grpc.StatusCode.INVALID_ARGUMENT, "deadline_required")


def test_a_method_that_is_not_there_is_unimplemented(client: Client) -> None:
    before = counted("unknown", "UNIMPLEMENTED")
    unknown = client.channel.unary_unary("/ordersite.users.v1.UserService/Nothing", bytes, bytes)
    error = refused(unknown, b"")
    assert code(error) == (grpc.StatusCode.UNIMPLEMENTED, "method_not_allowed")
    until("it is counted under no name of its own", lambda: counted("unknown", "UNIMPLEMENTED") == before + 1)


def test_the_callers_request_id_is_taken_told_and_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rpc.call_log")
    request = BatchGetUsersRequest()
    for given, kept in (("request-7", True), ("no good id", False)):
        metadata = (*BEARER, ("x-request-id", given))
        _, call = client.users.BatchGetUsers.with_call(request, timeout=5, metadata=metadata)
        assert not call.initial_metadata()
        told = dict(call.trailing_metadata())["x-request-id"]
        assert (told == given) == kept
    until("both are logged", lambda: caplog.text.count("BatchGetUsers: OK after") == 2)


def test_calls_are_counted_by_method_and_code(client: Client) -> None:
    method = "/ordersite.users.v1.UserService/GetUser"
    answered, missed = counted(method, "OK"), counted(method, "NOT_FOUND")
    refused(client.users.GetUser, GetUserRequest(user_id=str(uuid4())))
    until("it is counted", lambda: counted(method, "NOT_FOUND") == missed + 1)
    assert counted(method, "OK") == answered


def test_a_deadline_reaches_down_to_the_database(client: Client, locked_users: Lock) -> None:
    began = time.monotonic()
    error = refused(client.users.GetUser, GetUserRequest(user_id=str(uuid4())), timeout=0.3)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 2
    until("the query has ended", lambda: not queries(), seconds=2)
    until("it is counted", lambda: counted("/ordersite.users.v1.UserService/GetUser", "DEADLINE_EXCEEDED"))


def statement_timeout() -> int:
    """Milliseconds, as PostgreSQL has them in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(("left", "least", "most"), [(2.5, 500, 2_700), (60.0, 10_000, 10_000)])
def test_a_statement_may_take_what_is_left_of_the_deadline(client: Client, left: float, least: int, most: int) -> None:
    lookups = Lookups(1)
    try:
        assert least <= asyncio.run(lookups.run(left, statement_timeout)) <= most
    finally:
        lookups.close()


def test_a_caller_who_goes_away_takes_the_query_along(client: Client, locked_users: Lock) -> None:
    call = client.users.GetUser.future(GetUserRequest(user_id=str(uuid4())), **WITH_ALL)
    until("the query waits", queries, seconds=5)
    call.cancel()
    until("the query has ended", lambda: not queries(), seconds=3)


def test_more_calls_than_threads_wait_and_are_answered(client: Client, ada: User) -> None:
    request = GetUserRequest(user_id=str(ada.id))
    calls = [client.users.GetUser.future(request, **WITH_ALL) for _ in range(50)]
    assert {call.result().email for call in calls} == {"ada@example.com"}


def test_a_call_that_would_wait_behind_too_many_is_refused_and_counted(
    client: Client, locked_users: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpc.lookups.MOST", 2)
    method = "/ordersite.users.v1.UserService/GetUser"
    before = counted(method, "RESOURCE_EXHAUSTED")
    request = GetUserRequest(user_id=str(uuid4()))
    calls = [client.users.GetUser.future(request, **WITH_ALL) for _ in range(12)]
    until("ten have an answer", lambda: sum(call.done() for call in calls) == 10, seconds=5)
    assert {code(call) for call in calls if call.done()} == {(grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_calls")}
    locked_users.release()
    assert {call.code() for call in calls} == {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND}
    until("they are counted", lambda: counted(method, "RESOURCE_EXHAUSTED") == before + 10)


def test_a_bug_is_internal_and_tells_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(user_ids: Any) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr("rpc.services.find_users", fail)
    error = refused(client.users.GetUser, GetUserRequest(user_id=str(uuid4())))
    assert code(error) == (grpc.StatusCode.INTERNAL, "internal_error")
    assert "secret" not in str(error)
    line = until("it is logged", lambda: [each for each in caplog.records if "GetUser: INTERNAL" in each.message])[0]
    assert line.levelname == "ERROR"


def test_a_connection_that_died_at_rest_is_replaced(client: Client, ada: User) -> None:
    request = GetUserRequest(user_id=str(ada.id))
    client.users.GetUser(request, **WITH_ALL)
    end_sessions()
    assert client.users.GetUser(request, **WITH_ALL).email == "ada@example.com"


def test_a_database_that_goes_away_is_unavailable_for_now(client: Client, locked_users: Lock) -> None:
    call = client.users.GetUser.future(GetUserRequest(user_id=str(uuid4())), **WITH_ALL)
    until("the query waits", queries, seconds=5)
    end_sessions("AND wait_event_type = 'Lock'")
    error = call.exception()
    assert code(error) == (grpc.StatusCode.UNAVAILABLE, "database_unavailable")
    assert details(error)[error_details_pb2.RetryInfo].retry_delay.seconds == 5


def test_every_status_that_is_answered_is_one_of_the_table() -> None:
    answered = ("invalid_input", "not_authenticated", "authentication_failed", "not_found", "method_not_allowed")
    too_many = ("too_many_calls", "too_many_watchers")
    ours = (*too_many, "deadline_required", "shutting_down", "internal_error", "database_unavailable")
    assert {all_codes()[name].status for name in (*answered, *ours)} == set(STATUS)


def test_a_stranger_is_refused_before_the_message_is_waited_for(client: Client) -> None:
    never = threading.Event()

    def nothing() -> Iterator[bytes]:
        never.wait(20)
        yield b""

    call: Any = client.channel.stream_unary("/ordersite.users.v1.UserService/GetUser")
    try:
        with pytest.raises(grpc.RpcError) as refusal:
            call(nothing(), timeout=10)
    finally:
        never.set()
    assert code(refusal.value) == (grpc.StatusCode.UNAUTHENTICATED, "not_authenticated")


def test_of_many_wrong_ids_some_are_told(client: Client) -> None:
    error = refused(client.users.BatchGetUsers, BatchGetUsersRequest(user_ids=["x"] * 500))
    assert code(error) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_input")
    assert len(details(error)[error_details_pb2.BadRequest].field_violations) == MOST_TOLD


def test_an_error_comes_without_initial_metadata_so_that_grpc_may_repeat_the_call(client: Client) -> None:
    assert not refused(client.users.GetUser, GetUserRequest(user_id=str(uuid4()))).initial_metadata()
