"""JSON Schemas of the events' data, from the very types that validate them."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from events import catalogue
from events.catalogue import EventData, event_type, registered
from ordersite.asyncapi.words import FIELDS

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Plain(GenerateJsonSchema):
    """Without a title for each field that says its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def types() -> list[type[EventData]]:
    """Return the site's event types, by name. Those that an example or a test registers are not the site's."""
    known = (event_type(name) for name in sorted(registered()))
    return [kind for kind in known if kind.__module__ == catalogue.__name__]


def schema_of(kind: type[EventData]) -> Schema:
    """Return the schema of a type's data, as events name it (`dataschema`)."""
    made = kind.model_json_schema(schema_generator=_Plain, mode="serialization")
    inner = {name: _explained(schema) for name, schema in made.pop("$defs", {}).items()}
    head = {"$schema": DIALECT, "$id": path_of(kind.type)}
    return head | _explained(made) | ({"$defs": inner} if inner else {})


def component_schemas() -> dict[str, Schema]:
    """Return the schemas of all types and of what they are made of, as components of one document."""
    wanted = [(kind, "serialization") for kind in types()]
    _, made = models_json_schema(
        wanted,  # type: ignore[arg-type]  # a list of literals is no list of strings
        schema_generator=_Plain,
        ref_template="#/components/schemas/{model}",
    )
    return {name: _explained(schema) for name, schema in made["$defs"].items()}


def path_of(name: str) -> str:
    """Return where the schema of this type is served."""
    return f"/api/events/schemas/{name}.json"


def _explained(schema: Schema) -> Schema:
    fields = {
        name: field | ({"description": FIELDS[name]} if name in FIELDS else {})
        for name, field in schema["properties"].items()
    }
    return schema | {"properties": fields}
