"""A change that breaks a client of the released contract is found; one that does not is let pass."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from testing.contract import DOCUMENT
from tools.contracts.breaks import breaks

Document = dict[str, Any]
Change = Callable[[Document], object]

RELEASED: Document = {
    "paths": {
        "/orders": {
            "post": {
                "parameters": [
                    {"in": "header", "name": "Key", "required": False, "schema": {"type": "string", "maxLength": 9}},
                    {"in": "query", "name": "sort", "schema": {"enum": ["a", "b"], "default": "a"}},
                ],
                "requestBody": {
                    "required": False,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/New"}}},
                },
                "security": [],
                "responses": {
                    "201": {
                        "headers": {"Location": {"required": True, "schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                    },
                    "409": {"$ref": "#/components/responses/Busy"},
                },
            }
        },
        "/products": {"get": {"responses": {"200": {}}}, "patch": {"responses": {"200": {}}}},
    },
    "components": {
        "responses": {"Busy": {}},
        "schemas": {
            "New": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string", "enum": ["CUP", "POT"]},
                    "quantity": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "extras": {"type": "object", "properties": {"any": {"type": "array"}}},
                },
                "required": ["sku"],
                "additionalProperties": False,
            },
            "Order": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "paid": {"type": "string", "format": "decimal", "pattern": r"^\d+\.\d{2}$"},
                    "status": {"type": "string", "enum": ["pending"]},
                    "notes": {"type": "array", "items": {"type": "string"}},
                    "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
                },
                "required": ["id", "status"],
            },
        },
    },
}


def post(document: Document) -> Any:
    return document["paths"]["/orders"]["post"]


def created(document: Document) -> Any:
    return post(document)["responses"]["201"]


def taken(document: Document) -> Any:
    return document["components"]["schemas"]["New"]


def open_part(document: Document) -> Any:
    return taken(document)["properties"]["extras"]


def given(document: Document) -> Any:
    return document["components"]["schemas"]["Order"]


def parameter(**fields: Any) -> Any:
    return {"in": "query", "name": "new", "schema": {"type": "string"}} | fields


BREAKS: dict[str, tuple[Change, str]] = {
    "a path that is gone": (lambda d: d["paths"].pop("/products"), "/products: the path is gone"),
    "an operation that is gone": (
        lambda d: d["paths"]["/products"].pop("patch"),
        "PATCH /products: the operation is gone",
    ),
    "a token where none was needed": (
        lambda d: post(d).update(security=[{"bearer": []}]),
        "POST /orders: it needs a token now",
    ),
    "a status that is gone": (lambda d: post(d)["responses"].pop("409"), "POST /orders: 409 is gone"),
    "a field of an answer that is gone": (
        lambda d: given(d)["properties"].pop("status"),
        "POST /orders: 201/status is gone",
    ),
    "a field of an answer, deep in it, that is gone": (
        lambda d: given(d)["properties"]["lines"]["items"]["properties"].pop("sku"),
        "POST /orders: 201/lines/*/sku is gone",
    ),
    "a field of an answer that may be left out": (
        lambda d: given(d).update(required=["id"]),
        "POST /orders: 201/status may be left out now",
    ),
    "a field of an answer that may be null": (
        lambda d: given(d)["properties"]["id"].update(type=["string", "null"]),
        "POST /orders: 201/id may be null now",
    ),
    "a field of an answer of another format": (
        lambda d: given(d)["properties"]["id"].pop("format"),
        "POST /orders: 201/id has another format",
    ),
    "money of an answer that is no decimal": (
        lambda d: given(d)["properties"]["paid"].update(format="byte", pattern="."),
        "POST /orders: 201/paid has another pattern\nPOST /orders: 201/paid has another format",
    ),
    "a header of an answer that is gone": (
        lambda d: created(d)["headers"].clear(),
        "POST /orders: 201: the header Location is gone",
    ),
    "a header of an answer that may be left out": (
        lambda d: created(d)["headers"]["Location"].update(required=False),
        "POST /orders: 201: the header Location may be left out now",
    ),
    "a header of an answer of another type": (
        lambda d: created(d)["headers"]["Location"].update(schema={"type": ["string", "integer"]}),
        "POST /orders: 201: the header Location may be integer now",
    ),
    "another media type of an answer": (
        lambda d: created(d).update(content={"text/csv": {"schema": {}}}),
        "POST /orders: 201: it is not application/json any more",
    ),
    "a new parameter that is required": (
        lambda d: post(d)["parameters"].append(parameter(required=True)),
        "POST /orders: query new is required now",
    ),
    "a parameter that is required now": (
        lambda d: post(d)["parameters"][0].update(required=True),
        "POST /orders: header Key is required now",
    ),
    "a parameter that is gone": (lambda d: post(d)["parameters"].pop(), "POST /orders: query sort is gone"),
    "a parameter that takes fewer values": (
        lambda d: post(d)["parameters"][1]["schema"].update(enum=["a"]),
        "POST /orders: query sort takes only a now, not b",
    ),
    "a parameter that takes shorter values": (
        lambda d: post(d)["parameters"][0]["schema"].update(maxLength=8),
        "POST /orders: header Key: maxLength is 8 now",
    ),
    "a parameter that means something else when it is left out": (
        lambda d: post(d)["parameters"][1]["schema"].update(default="b"),
        "POST /orders: query sort has another default",
    ),
    "a body that is required now": (
        lambda d: post(d)["requestBody"].update(required=True),
        "POST /orders: the body is required now",
    ),
    "a body that is gone": (lambda d: post(d).pop("requestBody"), "POST /orders: it takes no body any more"),
    "a body of another media type": (
        lambda d: post(d)["requestBody"].update(content={"text/csv": {"schema": {}}}),
        "POST /orders: it does not take application/json any more",
    ),
    "a new field of a body that is required": (
        lambda d: taken(d).update(required=["sku", "tags"]),
        "POST /orders: body/tags is required now",
    ),
    "a field of a body that is gone": (
        lambda d: taken(d)["properties"].pop("tags"),
        "POST /orders: body/tags is gone",
    ),
    "a body that refuses fields that nobody knows": (
        lambda d: open_part(d).update(additionalProperties=False),
        "POST /orders: body/extras refuses unknown fields now",
    ),
    "a field of a body of another type": (
        lambda d: taken(d)["properties"]["quantity"].update(type="integer"),
        "POST /orders: body/quantity does not take null any more",
    ),
    "a field of a body that takes fewer words": (
        lambda d: taken(d)["properties"]["sku"].update(enum=["CUP"]),
        "POST /orders: body/sku takes only CUP now, not POT",
    ),
    "a field of a body that takes words where it took any": (
        lambda d: taken(d)["properties"]["tags"]["items"].update(enum=["x"]),
        "POST /orders: body/tags/* takes only x now, not others",
    ),
    "a field of a body with a new pattern": (
        lambda d: taken(d)["properties"]["sku"].update(pattern="^C"),
        "POST /orders: body/sku has another pattern",
    ),
    "a field of a body with a bound that no rule knows": (
        lambda d: taken(d)["properties"]["tags"].update(uniqueItems=True),
        "POST /orders: body/tags has another uniqueItems",
    ),
    "a list of a body whose items are bound now": (
        lambda d: open_part(d)["properties"]["any"].update(items={"enum": ["x"]}),
        "POST /orders: body/extras/any/* takes only x now, not others",
    ),
    "a list of an answer of which less is said": (
        lambda d: given(d)["properties"]["notes"].pop("items"),
        "POST /orders: 201/notes/* may be array, boolean, integer, null, number, object now",
    ),
    "a field of a body with closer bounds": (
        lambda d: taken(d)["properties"]["quantity"].update(minimum=2),
        "POST /orders: body/quantity: minimum is 2 now",
    ),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda d: None,
    "a new path": lambda d: d["paths"].update({"/reports": {"get": {"responses": {}}}}),
    "a new operation": lambda d: d["paths"]["/products"].update(post={"responses": {}}),
    "a new status": lambda d: post(d)["responses"].update({"429": {}}),
    "a new parameter that may be left out": lambda d: post(d)["parameters"].append(parameter()),
    "a new field of an answer": lambda d: given(d)["properties"].update(total={"type": "string"}),
    "a new word in an answer": lambda d: given(d)["properties"]["status"].update(enum=["pending", "confirmed"]),
    "a field of an answer that is always there now": lambda d: given(d)["required"].append("lines"),
    "a new header of an answer": lambda d: created(d)["headers"].update(ETag={"schema": {"type": "string"}}),
    "a new field of a body that may be left out": lambda d: taken(d)["properties"].update(note={"type": "string"}),
    "a field of a body that may be left out now": lambda d: taken(d).update(required=[]),
    "a field of a body that takes more words": lambda d: taken(d)["properties"]["sku"].update(
        enum=["CUP", "POT", "TIN"]
    ),
    "a field of a body that takes any word": lambda d: taken(d)["properties"]["sku"].pop("enum"),
    "a field of a body that takes another type too": lambda d: taken(d)["properties"]["sku"].update(
        type=["string", "null"]
    ),
    "a field of a body with wider bounds": lambda d: taken(d)["properties"]["quantity"].update(maximum=10, minimum=0),
    "money with other decimals": lambda d: given(d)["properties"]["paid"].update(pattern=r"^\d+(\.\d{1,3})?$"),
    "other words": lambda d: given(d).update(description="An order, in other words."),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_found_and_told_where_it_is(name: str) -> None:
    change, told = BREAKS[name]
    changed = deepcopy(RELEASED)
    change(changed)
    assert breaks(RELEASED, changed) == told.split("\n")


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_is_let_pass(name: str) -> None:
    changed = deepcopy(RELEASED)
    HARMLESS[name](changed)
    assert breaks(RELEASED, changed) == []


def test_every_field_of_the_real_contract_is_missed_when_it_is_gone() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        changed = deepcopy(DOCUMENT)
        changed["components"]["schemas"][name]["properties"] = {}
        told = breaks(DOCUMENT, changed)
        for field in schema["properties"]:
            assert any(each.endswith(f"/{field} is gone") for each in told), f"{name}/{field}"


def test_every_status_of_the_real_contract_is_missed_when_it_is_gone() -> None:
    changed, gone = deepcopy(DOCUMENT), []
    for path, methods in changed["paths"].items():
        for method, operation in methods.items():
            gone += [f"{method.upper()} {path}: {status} is gone" for status in operation["responses"]]
            operation["responses"] = {}
    assert sorted(breaks(DOCUMENT, changed)) == sorted(gone)
