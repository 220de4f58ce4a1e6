"""Every error is problem+json with the fields that are promised, and nothing of our insides."""

import json
import time
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django.test import Client

from events.tests.waiting import until
from orders.models import Order
from rest.wsgi import Readable
from testing.api import admin_client, check_problem, client_of, make_user, pointers
from testing.contract import METHODS, api_routes
from testing.shop import items, make_product, place
from users.models import User

pytestmark = pytest.mark.django_db
ORDERS = "/api/v1/orders"
INSIDES = ("Traceback", "psycopg", "SELECT", "INSERT", "events_event", "django", "File ", "<html", "<!DOCTYPE")
NOBODY = UUID(int=0)
WRONG = [
    (method, path.format(user_id=NOBODY, order_id=NOBODY, letter_id=NOBODY, report_id=NOBODY, sku="CUP"))
    for path, view in api_routes()
    for method in METHODS
    if method not in view().allowed_methods
]


@pytest.mark.parametrize(("method", "path"), WRONG)
def test_a_wrong_method_is_405_whoever_asks(method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer dead"}):
        answer = getattr(client_of(), method.lower())(f"/api/v1/{path}", headers=headers)
        check_problem(answer, 405, "method_not_allowed")
        assert method not in answer["Allow"].split(", ")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW"])
def test_a_method_that_nobody_knows_is_405(method: str) -> None:
    check_problem(client_of().generic(method, ORDERS), 405, "method_not_allowed")


def test_options_is_answered_whatever_the_path() -> None:
    client = client_of(make_user("sam", superuser=True))
    for template, view in api_routes():
        path = template.format(user_id=NOBODY, order_id=NOBODY, letter_id=NOBODY, report_id=NOBODY, sku="CUP")
        answer = client.options(f"/api/v1/{path}")
        assert answer.status_code == 200, path
        assert set(view().allowed_methods) <= set(answer["Allow"].split(", "))


def test_head_is_a_get_without_its_body() -> None:
    answer = client_of().head("/api/v1/products")
    assert (answer.status_code, answer.content) == (200, b"")


def test_without_a_token_it_is_401_and_says_how() -> None:
    answer = client_of().get(ORDERS)
    check_problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_with_the_wrong_rights_it_is_403() -> None:
    check_problem(client_of(make_user()).post("/api/v1/products", {}), 403, "permission_denied")


@pytest.mark.parametrize(
    "content", ["text/plain", "application/x-www-form-urlencoded", "text/xml", "multipart/form-data; boundary=x"]
)
def test_a_body_that_is_no_json_by_its_type_is_415(content: str) -> None:
    answer = client_of(make_user()).post(ORDERS, b"items=1", content_type=content)
    check_problem(answer, 415, "unsupported_media_type")


def test_what_fails_before_there_is_a_request_is_500_too(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Any] = []

    def fails(environ: Any, start_response: Any) -> Any:
        raise ValueError("unreadable")

    (text,) = Readable(fails)({}, lambda *given: told.extend(given))
    status, headers, _ = told
    assert (status, json.loads(text)["code"]) == ("500 Internal Server Error", "internal_error")
    assert dict(headers)["X-Request-ID"] == json.loads(text)["request_id"]
    assert dict(headers)["Content-Type"] == "application/problem+json"
    assert "ValueError: unreadable" in caplog.text


def test_an_answer_that_we_cannot_give_is_406() -> None:
    check_problem(client_of().get("/api/v1/products", HTTP_ACCEPT="text/html"), 406, "not_acceptable")


def test_a_body_of_more_than_a_mebibyte_is_413() -> None:
    client = client_of(make_user())
    for size, status in ((2**20 - 100, 400), (2**20 + 1, 413), (5 * 2**20, 413)):
        answer = client.post(ORDERS, b'{"x": "' + b"y" * size + b'"}', content_type="application/json")
        assert answer.status_code == status
    check_problem(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    "given",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"items": ' + b"[" * 900 + b"]" * 900 + b"",
        b"[" * 500 + b"]" * 500,
        b"[" * 21 + b"]" * 21,
        b'{"a":' * 20 + b"[]" + b"}" * 20,
        b"9" * 5_000,
        b'{"items": Infinity}',
        b"{'items': []}",
        b'{"items": []} x',
        b'{"items": [], "items": []}',
        b'{"items": [{"sku": "CUP", "quantity": 1, "quantity": 2}]}',
        b"\x00",
    ],
    ids=lambda given: repr(given[:12]),
)
@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/auth/token", ORDERS])
def test_malformed_json_is_400(path: str, given: bytes) -> None:
    answer = client_of(make_user()).post(path, given, content_type="application/json")
    problem = check_problem(answer, 400, "parse_error")
    assert "JSON" in problem["detail"]


def test_what_is_given_twice_is_named_and_costs_no_time() -> None:
    many = ", ".join(f'"field{n}": 1' for n in range(50_000))
    given = f'{{{many}, "field49999": 2}}'
    before = time.process_time()
    answer = client_of(make_user()).post(ORDERS, given, content_type="application/json")
    assert time.process_time() - before < 2
    assert '"field49999" is given twice' in check_problem(answer, 400, "parse_error")["detail"]


@pytest.mark.parametrize(
    "given",
    [
        "null",
        "[]",
        '"text"',
        "5",
        "true",
        '[{"items": []}]',
        "[" * 20 + "]" * 20,
        '{"items": ' + "[" * 19 + "]" * 19 + "}",
    ],
    ids=lambda given: given[:12],
)
def test_json_of_another_shape_is_invalid_input(given: str) -> None:
    assert pointers(client_of(make_user()).post(ORDERS, given, content_type="application/json"))


def test_every_pointer_leads_to_a_place_in_the_body() -> None:
    make_product("CUP")
    given = {"items": [{"sku": "CUP", "quantity": 1}, {"sku": "CUP", "quantity": 0}, {"sku": 5, "quantity": "x"}, 7]}
    for pointer in pointers(client_of(make_user()).post(ORDERS, given)):
        place_in: Any = given
        for step in pointer.split("/")[1:]:
            place_in = place_in[int(step)] if isinstance(place_in, list) else place_in[step]


def test_text_with_surrogates_and_nul_is_refused_and_told() -> None:
    for text in ("\ud800", "a\0b"):
        given = json.dumps({"items": [{"sku": text, "quantity": 1}]})
        answer = client_of(make_user(f"u{ord(text[0])}")).post(ORDERS, given, content_type="application/json")
        assert pointers(answer) == ["/items/0/sku"]


@pytest.mark.parametrize("charset", ["bogus", "utf-16", "utf-7", "rot13", "\xff"])
def test_a_charset_that_json_has_not_is_no_server_error(charset: str) -> None:
    answer = client_of(make_user()).post(ORDERS, b"{}", content_type=f"application/json; charset={charset}")
    assert answer.status_code in (400, 415)
    check_problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    "path", ["%00", "%ff%fe", "<script>alert(1)</script>", "é", "a" * 2_000, "%0d%0aSet-Cookie:a=b"]
)
def test_an_odd_path_is_404_and_no_html(path: str) -> None:
    answer = client_of().get(f"/api/v1/{path}")
    check_problem(answer, 404, "not_found")
    assert "Set-Cookie" not in answer


def test_an_unknown_host_is_400() -> None:
    check_problem(client_of().get(ORDERS, HTTP_HOST="evil.example"), 400, "bad_request")


@pytest.mark.django_db(transaction=True)
def test_a_bug_is_500_and_shows_nothing_of_our_insides() -> None:
    make_product("CUP")
    client = client_of(make_user())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event ADD CONSTRAINT a_bug CHECK (type <> 'order.created.v1') NOT VALID")
    try:
        answer = client.post(ORDERS, items(CUP=1))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events_event DROP CONSTRAINT a_bug")
    check_problem(answer, 500, "internal_error")
    assert not [word for word in INSIDES if word in answer.content.decode()]


def test_a_bug_outside_the_rest_framework_is_told_in_the_same_way() -> None:
    browser = admin_client(User.objects.create_superuser("boss@example.com"))
    browser.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event RENAME TO events_gone")
    answer = browser.get("/admin/events/event/")
    check_problem(answer, 500, "internal_error")
    assert not [word for word in INSIDES if word in answer.content.decode()]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_for_too_long_is_503_and_may_be_tried_again() -> None:
    make_product("CUP")
    ada = make_user()
    client, order = client_of(ada), place(ada, CUP=1)
    with psycopg.connect(**connection.get_connection_params()) as other, connection.cursor() as cursor:
        other.execute("SELECT 1 FROM orders_order FOR UPDATE")
        cursor.execute("SET lock_timeout = '50ms'")  # the web's is 3 s
        answer = client.post(f"{ORDERS}/{order.id}/cancel")
        cursor.execute("RESET lock_timeout")
    check_problem(answer, 503, "database_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert Order.objects.get().status == "pending"
    assert client.post(f"{ORDERS}/{order.id}/cancel").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_request_that_was_frozen_in_its_transaction_is_503_and_may_be_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_product("CUP")
    ada = make_user()
    client = client_of(ada)
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:

        def freeze(*_: Any, **__: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET idle_in_transaction_session_timeout = '50ms'")  # the web's is 15 s
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
            alive = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
            until("the session is ended", lambda: not other.execute(alive, [pid]).fetchone())

        with monkeypatch.context() as patch:
            patch.setattr("orders.services.publish", freeze)
            answer = client.post(ORDERS, items(CUP=1))
    check_problem(answer, 503, "database_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert not Order.objects.exists()
    assert client.post(ORDERS, items(CUP=1)).status_code == 201


def test_a_form_of_the_admin_without_its_token_is_told_in_the_same_way() -> None:
    browser = Client(enforce_csrf_checks=True)
    check_problem(browser.post("/admin/login/", {"username": "x", "password": "x"}), 403, "csrf_failed")


def test_a_form_of_the_admin_that_is_too_large_is_413() -> None:
    browser = admin_client(User.objects.create_superuser("boss@example.com"))
    check_problem(browser.post("/admin/login/", {"username": "x" * (2**20 + 1)}), 413, "body_too_large")


def test_a_wrong_method_of_the_admin_is_405() -> None:
    browser = admin_client(User.objects.create_superuser("boss@example.com"))
    check_problem(browser.get("/admin/logout/"), 405, "method_not_allowed")


def test_a_read_of_a_version_that_is_gone_is_412() -> None:
    make_product("CUP")
    check_problem(client_of().get("/api/v1/products/CUP", HTTP_IF_MATCH='"old"'), 412, "precondition_failed")


def test_a_query_of_too_many_fields_is_400() -> None:
    for path in ("/api/v1/products", "/health/ready"):
        check_problem(client_of().get(f"{path}?{'a=&' * 1_001}"), 400, "bad_request")
