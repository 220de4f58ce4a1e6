"""The AsyncAPI document: every event, its channel, who publishes it, and who handles it."""

from collections.abc import Iterator
from typing import Any

from events.asyncapi.schemas import component_schemas, path_of, types
from events.conf import setting
from events.handlers import Handler
from events.subscriptions import dead_letter_queue, the_map
from events.types import EventData
from rest.openapi.document import VERSION

Part = dict[str, Any]

DESCRIPTION = """\
What happens here, as CloudEvents 1.0. Each type is a channel of its own; its name ends in its version.

A published type never changes in a way that breaks a reader; a break is a new version beside the old one. Readers pass
over fields that they do not know.

A consumer (the part of a handler's name before the dot) sees each event until its handler has succeeded once, or a
person has given it up; events of one subject reach it in the order in which they happened (`sequence`). Delivery is at
least once; what a handler changes in the database happens exactly once.
"""

ATTRIBUTES: Part = {
    "title": "Attributes",
    "description": "The attributes of CloudEvents 1.0, two of our own (sequence, correlationid), and traceparent.",
    "type": "object",
    "properties": {
        "specversion": {"type": "string", "const": "1.0", "description": "The version of CloudEvents."},
        "id": {"type": "string", "format": "uuid", "description": "The same however often it is delivered."},
        "source": {"type": "string", "format": "uri-reference", "description": "Who published it."},
        "type": {"type": "string", "description": "What happened, with the version of the type."},
        "subject": {"type": "string", "format": "uuid", "description": "The id of what it is about."},
        "time": {
            "type": "string",
            "format": "date-time",
            "description": "When it was published, by the database's clock.",
        },
        "datacontenttype": {"type": "string", "const": "application/json", "description": "What `data` is."},
        "dataschema": {"type": "string", "format": "uri-reference", "description": "Where the schema of `data` is."},
        "sequence": {"type": "integer", "minimum": 1, "description": "Its place among the events of its subject."},
        "correlationid": {"type": "string", "description": "The X-Request-ID of the request from which it follows."},
        "traceparent": {"type": "string", "description": "Where there is a trace: what it follows from (W3C, 00-...)."},
    },
}
ATTRIBUTES["required"] = [name for name in ATTRIBUTES["properties"] if name != "traceparent"]


def document() -> Part:
    kinds = types()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{site_name()}: events",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        },
        "defaultContentType": "application/json",
        "channels": {kind.type: _channel(kind) for kind in kinds},
        "operations": dict(operation for kind in kinds for operation in _operations(kind)),
        "components": {
            "messages": {kind.type: message_of(kind) for kind in kinds},
            "schemas": {"Attributes": ATTRIBUTES, **component_schemas()},
        },
    }


def _channel(kind: type[EventData]) -> Part:
    return {
        "address": kind.type,
        "title": kind.type,
        "summary": summary_of(kind),
        "messages": {kind.type: {"$ref": f"#/components/messages/{kind.type}"}},
    }


def _operations(kind: type[EventData]) -> Iterator[tuple[str, Part]]:
    yield f"publish.{kind.type}", _operation("send", kind, {"summary": summary_of(kind)})
    for handler in the_map().handlers(kind):
        yield f"{handler.name}.{kind.type}", _operation("receive", kind, _handled(handler))


def _operation(action: str, kind: type[EventData], more: Part) -> Part:
    messages = [{"$ref": f"#/channels/{kind.type}/messages/{kind.type}"}]
    return {"action": action, "channel": {"$ref": f"#/channels/{kind.type}"}, **more, "messages": messages}


def _handled(handler: Handler) -> Part:
    return {
        "title": handler.name,
        "summary": summary_of(handler.function),
        "tags": [{"name": handler.consumer}],
        "x-queue": handler.consumer,
        "x-dead-letters": dead_letter_queue(handler.consumer),
        "x-dead-letter-holds-back-later-events": the_map().consumers[handler.consumer].dead_holds,
        "x-max-attempts": handler.policy.max_attempts,
    }


def message_of(kind: type[EventData]) -> Part:
    return {
        "name": kind.type,
        "title": kind.type,
        "summary": summary_of(kind),
        "headers": {"$ref": "#/components/schemas/Attributes"},
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "correlationId": {"location": "$message.header#/correlationid"},
        **({"examples": [example_of(kind)]} if kind.example else {}),
    }


def example_of(kind: type[EventData]) -> Part:
    data = kind.model_validate(kind.example)
    headers = {
        "specversion": "1.0",
        "id": "01a21970-4c0f-7b3c-9d4e-52c1a7f0e6d8",
        "source": setting("SOURCE"),
        "type": kind.type,
        "subject": str(data.subject),
        "time": "2026-01-05T09:30:00Z",
        "datacontenttype": "application/json",
        "dataschema": path_of(kind.type),
        "sequence": 1,
        "correlationid": "01a21970-4957-7000-a1b2-c3d4e5f60718",
    }
    return {"name": kind.type, "headers": headers, "payload": data.model_dump(mode="json")}


def summary_of(what: object) -> str:
    return (what.__doc__ or "").partition("\n")[0]


def site_name() -> str:
    """Return what the site is called: the last part of its events' source."""
    return str(setting("SOURCE")).rpartition("/")[2]
