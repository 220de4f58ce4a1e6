"""JSON Schemas of the events' data, from the very types that validate them."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from events.subscriptions import the_map
from events.types import EventData

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Plain(GenerateJsonSchema):
    """Without a title for each field that says its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def types() -> list[type[EventData]]:
    return sorted(the_map().subscriptions, key=lambda kind: kind.type)


def schema_of(kind: type[EventData]) -> Schema:
    """Return the schema of a type's data, as events name it (`dataschema`)."""
    made = kind.model_json_schema(schema_generator=_Plain, mode="serialization")
    return {"$schema": DIALECT, "$id": path_of(kind.type), **made}


def component_schemas() -> dict[str, Schema]:
    """Return the schemas of all types and of what they are made of, as components of one document."""
    wanted = [(kind, "serialization") for kind in types()]
    _, made = models_json_schema(
        wanted,  # type: ignore[arg-type]  # a list of literals is no list of strings
        schema_generator=_Plain,
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Schema] = made["$defs"]
    return schemas


def path_of(name: str) -> str:
    """Return where the schema of this type is served."""
    return f"/api/events/schemas/{name}.json"
