"""The pages on the API work without the internet, and name only what is there."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from rest.openapi.described import all_codes
from testing.api import check_problem, client_of
from testing.contract import OPERATIONS

DOCS = "/api/docs"
READ_ONLY = [
    "/api/schema",
    DOCS,
    "/api/docs/problems",
    "/api/docs/problems/not_found",
    "/api/events",
    "/api/events/asyncapi.json",
    "/api/events/schemas/order.created.v1.json",
]


def page(path: str) -> str:
    answer = Client().get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer.content.decode()


@pytest.mark.parametrize("path", [DOCS, "/api/docs/problems", "/api/docs/problems/not_found", "/api/events"])
def test_a_page_loads_nothing_that_is_not_our_own(path: str) -> None:
    addresses = re.findall(r'(?:src|href|data-schema)="([^"]+)"', page(path))
    assert addresses
    for address in addresses:
        assert address.startswith(("/static/", "/api/", "#")), address
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address


def test_no_script_stands_in_a_page() -> None:
    assert not re.search(r"<script[^>]*>[^<]", page(DOCS))


def test_the_steps_lead_to_operations_that_are_there() -> None:
    steps = re.findall(r'href="#/([^/"]+)/([^"]+)"', page(DOCS))
    assert steps == [("sign-in", "signIn"), ("orders", "placeOrder")]
    assert set(steps) <= {(o["tags"][0], o["operationId"]) for o in OPERATIONS.values()}


def test_the_list_of_errors_has_all_of_them() -> None:
    text = page("/api/docs/problems")
    assert all(f'href="/api/docs/problems/{code}"' in text for code in all_codes())


def test_a_code_that_no_error_has_is_404() -> None:
    for code in ("nothing", "<script>", "%00", "a/b"):
        check_problem(client_of().get(f"/api/docs/problems/{code}"), 404, "not_found")


@pytest.mark.parametrize("path", READ_ONLY)
def test_the_pages_are_only_read(path: str) -> None:
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(client_of(), method)(path)
        check_problem(answer, 405, "method_not_allowed")
        assert "GET" in answer["Allow"]
    assert Client().get(f"{path}/").status_code == 200


def test_a_stranger_reads_them_with_a_dead_token() -> None:
    for path in READ_ONLY:
        assert client_of().get(path, HTTP_AUTHORIZATION="Bearer dead").status_code == 200
