"""The OpenAPI document tells of what is there, of all of it, and of nothing else."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from ordersite.openapi import DESCRIBED
from rest.openapi.described import all_codes
from rest.openapi.document import VERSION
from testing.api import client_of, make_user
from testing.contract import DOCUMENT, OPERATIONS, api_operations, check_described, check_fits, resolved
from testing.shop import items, make_product, place

SCHEMA = "/api/schema"


def examples(content: dict[str, Any]) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return named + ([content["example"]] if "example" in content else [])


def test_it_tells_of_every_operation_and_of_no_other() -> None:
    of_the_api = {f"{method} /api/v1/{path}" for method, path in map(str.split, api_operations())}
    beside_it = {f"GET /{path}" for path in ("api/schema", "health/live", "health/ready", "metrics")}
    assert set(OPERATIONS) == of_the_api | beside_it


def test_it_is_served_as_json_and_as_yaml() -> None:
    client = client_of()
    answer = client.get(SCHEMA)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert answer.json() == DOCUMENT
    answer = client.get(SCHEMA, HTTP_ACCEPT="application/yaml")
    assert answer["Content-Type"].startswith("application/yaml")
    assert yaml.safe_load(answer.content) == DOCUMENT


def test_it_has_the_version_of_the_project() -> None:
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_operations_have_names_of_their_own_and_tags_that_are_explained() -> None:
    assert len({operation.id for operation in DESCRIBED.operations.values()}) == len(DESCRIBED.operations)
    assert {name: operation["operationId"] for name, operation in OPERATIONS.items()} == {
        name: operation.id for name, operation in DESCRIBED.operations.items()
    }
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == {
        tag["name"] for tag in DOCUMENT["tags"]
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_example_is_as_its_schema_says(name: str) -> None:
    operation = OPERATIONS[name]
    parts = [operation["requestBody"]] if "requestBody" in operation else []
    parts += [resolved(response) for response in operation["responses"].values()]
    contents = [content for part in parts for content in part.get("content", {}).values()]
    for content in contents:
        assert examples(content)
        for example in examples(content):
            check_fits(content["schema"], example)


def test_problems_have_a_closed_set_of_codes() -> None:
    problem = DOCUMENT["components"]["schemas"]["Problem"]
    assert problem["properties"]["code"]["enum"] == sorted(all_codes())


def test_nothing_in_it_is_unused() -> None:
    text = json.dumps(DOCUMENT)
    for kind, parts in DOCUMENT["components"].items():
        for name in parts:
            assert kind == "securitySchemes" or f'"#/components/{kind}/{name}"' in text, name


@pytest.mark.django_db
def test_a_repeated_order_a_page_and_what_has_not_changed_are_as_it_says() -> None:
    make_product("CUP")
    ada = make_user()
    client = client_of(ada)
    for _ in range(2):
        answer = client.post("/api/v1/orders", items(CUP=1), HTTP_IDEMPOTENCY_KEY="one")
        check_described("POST /api/v1/orders", answer)
    check_described("POST /api/v1/orders", client.post("/api/v1/orders", items(CUP=2), HTTP_IDEMPOTENCY_KEY="one"))
    for _ in range(2):
        place(ada, CUP=1)
    answer = client.get("/api/v1/orders?page_size=1")
    assert answer.json()["next"]
    check_described("GET /api/v1/orders", answer)
    path = answer.json()["results"][0]["id"]
    tag = client.get(f"/api/v1/orders/{path}")["ETag"]
    for headers in ({"If-None-Match": tag}, {"If-Match": '"another"'}):
        check_described("GET /api/v1/orders/{order_id}", client.get(f"/api/v1/orders/{path}", headers=headers))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema", "/health/live", "/health/ready", "/metrics"])
def test_what_stands_beside_the_api_is_as_it_says(path: str) -> None:
    check_described(f"GET {path}", client_of().get(path))
