"""The whole document, of what the site and its apps say of themselves, and of what their views and serializers tell."""

from drf_spectacular.generators import SchemaGenerator

from rest.openapi import parts
from rest.openapi.described import described
from rest.openapi.parts import Schema

VERSION = "0.1.0"

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "The `token` of POST /api/v1/auth/token.",
}


def document() -> Schema:
    made = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    components = made["components"]
    return {
        **described().head,
        "tags": [{"name": name, "description": text} for name, text in described().tags.items()],
        "paths": made["paths"],
        "components": {
            "schemas": dict(sorted((components["schemas"] | {"Problem": parts.problem_schema()}).items())),
            "responses": components["responses"],
            "parameters": parts.parameters(),
            "headers": parts.headers(),
            "securitySchemes": {"bearer": BEARER},
        },
    }
