"""The last touch to what the serializers say of their fields: what they mean, and a few bounds."""

from collections.abc import Mapping
from typing import Any

from rest.openapi.described import described


def explained(component: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of a component's fields, with their words and bounds, and without a generator's own marks."""
    name = component.removesuffix("Request").removeprefix("Patched")
    words, bounds = described().words.get(name, {}), described().bounds.get(name, {})
    return {
        field: _plain(schema) | bounds.get(field, {}) | ({"description": words[field]} if field in words else {})
        for field, schema in fields.items()
    }


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("readOnly", "x-spec-enum-id")}
