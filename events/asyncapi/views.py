"""The pages on the events: one to read, the document itself, and the schema of each type."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from events.asyncapi.document import ATTRIBUTES, DESCRIPTION, Part, document, site_name
from events.asyncapi.schemas import path_of, schema_of, types
from rest.openapi.text import to_json
from rest.problems import not_found


@dataclass(frozen=True)
class Field:
    """A field of the data; those within another one are written as `items[].sku`."""

    name: str
    kind: str
    words: str
    optional: bool


@csrf_exempt  # a wrong method is 405, whoever asks
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    shown = {
        "site": site_name(),
        "events": _events(),
        "paragraphs": DESCRIPTION.split("\n\n"),
        "attributes": ATTRIBUTES["properties"],
    }
    return render(request, "events/asyncapi.html", shown)


@csrf_exempt
@require_safe
def asyncapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document_as_json(), content_type="application/json; charset=utf-8")


@csrf_exempt
@require_safe
def schema(request: HttpRequest, name: str) -> HttpResponse:
    """Give the schema of an event type's data; 404 for a type that there is not."""
    found = _schemas_as_json().get(name)
    if found is None:
        return not_found(request)
    return HttpResponse(found, content_type="application/schema+json")


@cache
def _document_as_json() -> str:
    return to_json(document())


@cache
def _schemas_as_json() -> dict[str, str]:
    return {kind.type: to_json(schema_of(kind)) for kind in types()}


@cache
def _events() -> list[Part]:
    """Return all event types; made once in the life of a process."""
    whole = document()
    return [_event(whole, name, message) for name, message in whole["components"]["messages"].items()]


def _event(whole: Part, name: str, message: Part) -> Part:
    examples = [example["headers"] | {"data": example["payload"]} for example in message.get("examples", [])]
    return {
        "name": name,
        "summary": message["summary"],
        "schema": path_of(name),
        "fields": list(_fields(whole, message["payload"], "")),
        "handlers": [
            {"name": operation["title"], "summary": operation["summary"], "dead_letters": operation["x-dead-letters"]}
            for operation in whole["operations"].values()
            if operation["action"] == "receive" and operation["channel"]["$ref"] == f"#/channels/{name}"
        ],
        "example": "\n".join(json.dumps(example, indent=2, ensure_ascii=False) for example in examples),
    }


def _fields(whole: Part, schema: Part, before: str) -> Iterator[Field]:
    if "$ref" in schema:
        schema = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for name, field in schema["properties"].items():
        yield Field(before + name, _kind(field), field.get("description", ""), name not in schema.get("required", ()))
        if "$ref" in field.get("items", {}):
            yield from _fields(whole, field["items"], f"{before}{name}[].")


def _kind(field: Part) -> str:
    if "enum" in field:
        return " or ".join(field["enum"])
    kind = str(field.get("format", field.get("type", "")))
    return "decimal number, as text" if "pattern" in field else kind
