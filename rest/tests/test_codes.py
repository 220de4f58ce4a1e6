"""Every code that an error can have is in the table, and so in the document and on the pages."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from rest_framework.exceptions import APIException, ValidationError

import ordersite.urls  # noqa: F401  # these import every view and service, and so every exception
import rpc.server  # noqa: F401
from rest.openapi.described import all_codes
from testing.api import client_of, make_user
from testing.shop import items, make_product, place
from users.models import User

APPS = (
    "adminkit", "analytics", "backoffice", "events", "inventory", "notifications", "orders", "ordersite", "postgres",
    "rest", "rpc", "telemetry", "users", "values", "web",
)  # fmt: skip
# A ValidationError is always `invalid_input`; the base class is never raised.
WITHOUT_A_CODE = {APIException, ValidationError}


def kinds(base: type[Exception] = APIException) -> Iterator[type[Any]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def calls() -> Iterator[ast.Call]:
    """Every call in the code that is no test."""
    for app in APPS:
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
            if "tests" not in path.relative_to(settings.BASE_DIR).parts:
                yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def written_codes() -> set[tuple[str, int | None]]:
    """(code, status if it stands there) of each `problem(status, code, ...)` and `SomeError(..., code=...)`."""
    errors = {kind.__name__ for kind in kinds()} - {kind.__name__ for kind in WITHOUT_A_CODE}
    found: set[tuple[Any, Any]] = set()
    for call in calls():
        if name_of(call) == "problem":
            status, code = (getattr(argument, "value", None) for argument in call.args[:2])
            found |= {(code, status)}
        if name_of(call) in errors:
            found |= {
                (k.value.value, None) for k in call.keywords if k.arg == "code" and isinstance(k.value, ast.Constant)
            }
    return {(code, status) for code, status in found if code}


def test_every_code_of_an_exception_is_in_the_table_with_its_status() -> None:
    for kind in kinds():
        if kind not in WITHOUT_A_CODE and kind.__module__.partition(".")[0] in (*APPS, "rest_framework"):
            assert all_codes()[kind.default_code].status == kind.status_code, kind


def test_every_code_that_is_written_in_the_code_is_in_the_table_with_its_status() -> None:
    written = written_codes()
    assert len(written) > 10  # the search finds them
    for code, status in written:
        assert status in (None, all_codes()[code].status), code


def test_no_code_of_the_table_is_made_up() -> None:
    raised = {kind.default_code for kind in kinds() if kind not in WITHOUT_A_CODE}
    assert set(all_codes()) == raised & set(all_codes()) | {code for code, _ in written_codes()}


@pytest.mark.parametrize("code", all_codes())
def test_the_type_of_each_problem_is_a_page_that_says_what_to_do(code: str) -> None:
    answer = Client().get(f"/api/docs/problems/{code}")
    page = answer.content.decode()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert code in page
    assert f"{all_codes()[code].status} {all_codes()[code].title}" in page
    assert answer["X-Request-ID"]


@pytest.mark.django_db
def test_what_is_answered_in_a_run_of_mistakes_is_in_the_table() -> None:
    make_product("CUP")
    ada = make_user()
    anyone, client, staff = client_of(), client_of(ada), client_of(make_user("sam", superuser=True))
    order = place(ada, CUP=1)
    boss = Client(enforce_csrf_checks=True)
    boss.force_login(User.objects.create_superuser("boss@example.com"))
    dead = {"Authorization": "Bearer dead"}
    adjustments = "/api/v1/products/CUP/stock-adjustments"
    key = {"Idempotency-Key": "one"}
    client.post("/api/v1/orders", items(CUP=1), headers=key)
    answers: dict[str, Any] = {
        "bad_request": anyone.get("/api/v1/orders", HTTP_HOST="evil.example"),
        "parse_error": client.post("/api/v1/orders", b"{", content_type="application/json"),
        "invalid_input": client.post("/api/v1/orders", {}),
        "not_authenticated": anyone.get("/api/v1/orders"),
        "authentication_failed": anyone.get("/api/v1/orders", headers=dead),
        "wrong_credentials": anyone.post("/api/v1/auth/token", {"email": "x@example.com", "password": "x"}),
        "permission_denied": client.get("/api/v1/dead-letters"),
        "csrf_failed": boss.post("/admin/users/user/add/", {}),
        "not_found": client.get("/api/v1/nothing"),
        "method_not_allowed": client.put("/api/v1/orders"),
        "not_acceptable": client.get("/api/v1/orders", HTTP_ACCEPT="text/html"),
        "wrong_status": staff.post(f"/api/v1/orders/{order.id}/fulfil"),
        "below_reserved": staff.post(adjustments, {"quantity": -100, "reason": "gone"}),
        "precondition_failed": client.get("/api/v1/products/CUP", HTTP_IF_MATCH='"old"'),
        "body_too_large": client.post("/api/v1/orders", b" " * (2**20 + 1), content_type="application/json"),
        "unsupported_media_type": client.post("/api/v1/orders", b"a=1", content_type="text/plain"),
        "idempotency_key_reused": client.post("/api/v1/orders", items(CUP=2), headers=key),
    }
    for code, answer in answers.items():
        told = answer.json()
        known = all_codes()[code]
        assert (told["code"], told["status"], told["type"]) == (code, known.status, known.uri)
        assert (answer.status_code, told["title"]) == (known.status, known.title)
