"""A query parameter that an operation does not know is refused by its name."""

from typing import Any

import pytest

from rest.tests.test_access import BODIES, filled_in
from testing.api import client_of, make_user, pointers
from testing.contract import OPERATIONS, api_operations, check_described, resolved
from testing.shop import place_confirmed
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cup")]


def ask(sam: User, operation: str, query: str) -> Any:
    method, path = operation.split(" ")
    path = filled_in(path, sam, place_confirmed(sam, CUP=1))
    return getattr(client_of(sam), method.lower())(f"/api/v1/{path}?{query}", BODIES.get(operation))


def known(operation: str) -> list[str]:
    """The names of the query parameters that the OpenAPI document has."""
    parameters = map(resolved, OPERATIONS[operation.replace(" ", " /api/v1/")]["parameters"])
    return [parameter["name"] for parameter in parameters if parameter["in"] == "query"]


@pytest.mark.parametrize("operation", sorted(api_operations()))
def test_an_unknown_parameter_is_refused_by_its_name(sam: User, operation: str) -> None:
    answer = ask(sam, operation, "surprise=1&surprise=2&page=")
    assert pointers(answer) == ["/surprise", "/page"]
    for name in known(operation):
        assert name in answer.json()["errors"][0]["detail"]
    check_described(operation.replace(" ", " /api/v1/"), answer)


@pytest.mark.parametrize("operation", sorted(name for name in api_operations() if known(name)))
def test_the_parameters_of_the_document_are_known(sam: User, operation: str) -> None:
    answer = ask(sam, operation, "&".join(f"{name}=x&{name}=x" for name in known(operation)))
    assert "There is no such parameter" not in answer.content.decode()
    assert set(pointers(answer)) <= {f"/{name}" for name in known(operation)}


@pytest.mark.parametrize("operation", ["PATCH users/me", "POST orders", "POST products/{sku}/stock-adjustments"])
def test_a_write_with_an_unknown_parameter_does_nothing(sam: User, operation: str) -> None:
    before = client_of(sam).get("/api/v1/products").json(), client_of(sam).get("/api/v1/users/me").json()
    assert pointers(ask(sam, operation, "dry_run=true")) == ["/dry_run"]
    assert before == (client_of(sam).get("/api/v1/products").json(), client_of(sam).get("/api/v1/users/me").json())


def test_who_may_not_ask_is_told_that_first(sam: User) -> None:
    assert client_of().get("/api/v1/orders?surprise=1").status_code == 401
    assert client_of(make_user("grace")).get("/api/v1/dead-letters?surprise=1").status_code == 403


def test_head_is_asked_as_get_is(sam: User) -> None:
    client = client_of(sam)
    assert client.head("/api/v1/orders?status=pending").status_code == 200
    assert client.head("/api/v1/orders?stauts=pending").status_code == 400


@pytest.mark.parametrize("path", ["/api/schema", "/health/live", "/metrics", "/api/docs"])
def test_pages_beside_the_api_take_any_query(path: str) -> None:
    assert client_of().get(f"{path}?v=2").status_code == 200
