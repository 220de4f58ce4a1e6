"""What the page on the events shows, read from the document."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from events.asyncapi.document import document
from events.asyncapi.schemas import path_of

Part = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A field of the data; those within another one are written as `items[].sku`."""

    name: str
    kind: str
    words: str
    optional: bool


@cache
def events() -> list[Part]:
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
