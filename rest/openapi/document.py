"""The whole document: its head, its shared parts, and the last touch to what the serializers say."""

from drf_spectacular.generators import SchemaGenerator

from rest.openapi import parts
from rest.openapi.parts import Schema
from rest.openapi.properties import explained

VERSION = "0.1.0"

DESCRIPTION = """\
Take orders, and follow what becomes of them.

**Sign in** with `POST /api/v1/auth/token`, and send what it gives as `Authorization: Bearer TOKEN`.

**Errors** are `application/problem+json` (RFC 9457). Decide by `code`; each has a page of its own, at the problem's
`type`. Beyond what stands with each operation, a request may meet 404 (a path that is not here) and 405 (a method that
the path does not take).

**Staff** need the same permissions as in the admin. Each operation names them in its description and under `security`,
where several entries are alternatives. Without them, the answer is 403 `permission_denied`.

**Repeating a request** is safe under an `Idempotency-Key`, which every POST takes but registration and sign-in. Those
two ignore the header: an account that exists and a second token harm nobody.

**Ids** are UUIDs. **Money** is a decimal string with its currency beside it, and exactly the decimals that ISO 4217
gives that one: `99.99` EUR, `100` JPY, `1.230` KWD. **Times** are RFC 3339 in UTC; those that you send have any offset,
or `Z`. **Days** are `2026-01-05`. **Lists** are pages `{next, previous, results}`; follow `next` until it is null.

**Query parameters** that an operation does not know are 400 by name, as unknown fields of a body are.

Paths answer with and without a slash at the end. `/api/ANYTHING` answers 308 to `/api/v1/ANYTHING`.
"""

TAGS = [
    {"name": "sign-in", "description": "Bearer tokens: get one, end one."},
    {"name": "accounts", "description": "People: customers register themselves, staff are appointed."},
    {"name": "products", "description": "The catalogue: anyone reads it, staff write it."},
    {
        "name": "orders",
        "description": "An order is `pending` when it is placed, then `confirmed` (stock is reserved) or `rejected`"
        " (something was short). A confirmed one becomes `fulfilled`. Until then it can be `cancelled`.",
    },
    {"name": "analytics", "description": "Figures, for staff. They follow the orders within seconds."},
    {"name": "reports", "description": "Files that are made in the background, for staff."},
    {"name": "dead letters", "description": "Work that kept failing and waits for a person, for staff."},
    {"name": "site", "description": "For load balancers, supervisors, Prometheus, and tools that read this document."},
]

HEAD: Schema = {
    "openapi": "3.1.0",
    "info": {
        "title": "ordersite",
        "version": VERSION,
        "summary": "An order backend.",
        "description": DESCRIPTION,
        "contact": {"name": "The ordersite team"},
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "servers": [{"url": "/", "description": "This site."}],
}

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "The `token` of POST /api/v1/auth/token.",
}

# What is left out of some answers.
SOMETIMES = {"Delivery": {"last_error"}, "DailySales": {"sku", "quantity"}}


def document() -> Schema:
    """Return the OpenAPI document of this code."""
    made = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    components = made["components"]
    schemas = {name: _finished(name, schema) for name, schema in components["schemas"].items()}
    return {
        **HEAD,
        "tags": TAGS,
        "paths": made["paths"],
        "components": {
            "schemas": dict(sorted((schemas | {"Problem": parts.problem_schema()}).items())),
            "responses": components["responses"],
            "parameters": parts.PARAMETERS,
            "headers": parts.headers(),
            "securitySchemes": {"bearer": BEARER},
        },
    }


def _finished(name: str, schema: Schema) -> Schema:
    """Return a component whole: answers always hold all of their fields, and unknown ones of a body are refused."""
    schema = schema | {"properties": explained(name, schema["properties"])}
    if name.endswith("Request"):
        return schema | {"additionalProperties": False}
    return schema | {"required": [field for field in schema["properties"] if field not in SOMETIMES.get(name, ())]}
