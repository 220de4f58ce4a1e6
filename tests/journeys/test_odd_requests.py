"""Requests that few clients send, and that the server hands over in ways of its own."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.journeys.client import Api
from tests.journeys.system import PASSWORD, System

MEBIBYTE = 1024 * 1024


def ask(system: System, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Send a request; a body without a length goes in chunks."""
    address = urlsplit(system.web)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=15)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **names})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def chunks(given: object, size: int = 7) -> Iterator[bytes]:
    text = json.dumps(given).encode()
    return (text[start : start + size] for start in range(0, len(text), size))


@pytest.mark.parametrize("charset", ["hex", "rot13", "undefined", "utf-16", '"base64"', "latin-1; q=1"])
def test_a_charset_changes_nothing(system: System, charset: str) -> None:
    given = f"application/json; charset={charset}"
    status, page = ask(system, "GET", "/api/v1/products?search=%C3%A9", Content_Type=given)
    assert (status, page["results"]) == (200, [])
    status, problem = ask(system, "POST", "/api/v1/auth/token?x=1", b'{"email": 1}', Content_Type=given)
    assert (status, problem["code"]) == (400, "invalid_input")


def test_a_query_of_too_many_fields_is_400_whatever_the_charset(system: System) -> None:
    for charset in ("", "; charset=utf-8"):
        path = "/api/v1/products?" + "a=&" * 1_001
        status, problem = ask(system, "GET", path, Content_Type=f"application/json{charset}")
        assert (status, problem["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "parameters",
    [
        "x*=bogus''y",
        "x*=1; x*0=2",
        "charset*=utf-8''hex",
        'x="' + ";" * 50_000,
        "boundary=" + "=" * 50_000,
    ],
    ids=["encoding", "continued", "charset", "endless", "boundary"],
)
def test_parameters_of_a_content_type_change_nothing(system: System, parameters: str) -> None:
    given = f"application/json; {parameters}"
    status, page = ask(system, "GET", "/api/v1/products?page_size=1&search=sencha", Content_Type=given)
    assert (status, len(page["results"])) == (200, 1)
    status, problem = ask(system, "POST", "/api/v1/auth/token", b'{"email": 1}', Content_Type=given)
    assert (status, problem["code"]) == (400, "invalid_input")


@pytest.mark.parametrize(
    "accept", ["a/b, */*; x*=1; x*0=2", "*/*; x=\"a; y*=bogus''z\"", "application/json; indent=99999999", ""]
)
def test_parameters_of_what_is_accepted_change_nothing(system: System, accept: str) -> None:
    given = {"email": "ada@example.com", "password": PASSWORD}
    status, answer = ask(system, "POST", "/api/v1/auth/token", json.dumps(given), Accept=accept)
    assert (status, len(answer)) == (200, 2)


@pytest.mark.parametrize("accept", ["text/html", "application/json; q=0", "a/b; x*=1; x*0=2", "," * 100_000])
def test_what_accepts_nothing_that_we_have_is_406(system: System, accept: str) -> None:
    status, problem = ask(system, "GET", "/api/v1/products", Accept=accept)
    assert (status, problem["code"]) == (406, "not_acceptable")


def test_a_file_of_the_pages_takes_no_other_method_and_says_so(system: System) -> None:
    status, problem = ask(system, "POST", "/static/rest/docs.css", "{}")
    assert (status, problem["code"], problem["status"]) == (405, "method_not_allowed", 405)


def test_a_body_in_chunks_is_read(system: System, ada: Api) -> None:
    sku = ada.get("/products?page_size=1").json["results"][0]["sku"]
    given = {"items": [{"sku": sku, "quantity": 2}]}
    status, order = ask(system, "POST", "/api/v1/orders", chunks(given), Authorization=f"Bearer {ada.token}")
    assert (status, order["items"][0]["quantity"]) == (201, 2)


def test_a_choice_in_chunks_is_not_taken_for_all(system: System) -> None:
    staff = system.person("admin")
    given = {"handler": "nobody.does_this"}
    path = "/api/v1/dead-letters/replay"
    status, problem = ask(system, "POST", path, chunks(given), Authorization=f"Bearer {staff.token}")
    assert (status, problem["errors"][0]["pointer"]) == (400, "/handler")


def test_a_body_in_chunks_that_is_too_large_is_413(system: System, ada: Api) -> None:
    many = chunks("x" * (MEBIBYTE + 1), size=MEBIBYTE // 4)
    status, problem = ask(system, "POST", "/api/v1/orders", many, Authorization=f"Bearer {ada.token}")
    assert (status, problem["code"]) == (413, "body_too_large")
