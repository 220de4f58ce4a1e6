"""Every route of the site, and the OpenAPI document, against which answers are held."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver
from jsonschema import Draft202012Validator, FormatChecker

from ordersite.urls import urlpatterns
from rest.openapi.document import document

DOCUMENT = document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def check_described(operation: str, answer: Any) -> None:
    """Check that an answer has a status, headers and a body that its operation (`GET /api/v1/...`) tells of."""
    response = resolved(OPERATIONS[operation]["responses"][str(answer.status_code)])
    for name, header in response["headers"].items():
        if resolved(header)["required"] or name in answer:
            check_fits(resolved(header)["schema"], header_value(answer, name, resolved(header)["schema"]))
    content = answer.getvalue() if answer.streaming else answer.content
    if "content" not in response:
        assert content == b""
        return
    media_type = answer["Content-Type"].partition(";")[0]
    schema = response["content"][media_type]["schema"]
    check_fits(schema, answer.json() if media_type.endswith("json") else content.decode())


def header_value(answer: Any, name: str, schema: dict[str, Any]) -> Any:
    """The value of a header, as the number that it is where it should be one."""
    return int(answer[name]) if schema["type"] == "integer" else answer[name]


def check_fits(schema: dict[str, Any], value: Any) -> None:
    """Check a value against a schema of the document, which may refer to its components."""
    whole = {"components": DOCUMENT["components"], **schema}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: dict[str, Any] = DOCUMENT["components"][kind][name]
    return found


API = "api/v1/"
NOTHING = "0193b1c4-7f3a-7c1e-9a50-2f6d1b8e4c77"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def api_routes() -> list[tuple[str, Any]]:
    """(path, view class) of each, with paths such as `orders/{order_id}/cancel`."""
    routes = [(path.removeprefix(API), getattr(view, "cls", None)) for path, view in _all() if path.startswith(API)]
    assert routes
    return routes


def routes_beside_the_api() -> set[str]:
    """Paths such as `health/live`; those of the admin, which has its own table, are one: `admin/`."""
    return {"admin/" if path.startswith("admin/") else path for path, _ in _all() if not path.startswith(API)}


def admin_pages() -> list[str]:
    """Paths of the admin's pages, with an id that nothing has."""
    paths = [path for path, _ in _all() if path.startswith("admin/")]
    return [re.sub(r"<(\w+:)?\w+>", NOTHING, path) for path in paths if "(" not in path]


def api_operations() -> set[str]:
    """Such as `POST orders/{order_id}/cancel`."""
    return {
        f"{method} {path}"
        for path, view in api_routes()
        for method in view().allowed_methods
        if method in METHODS
    }  # fmt: skip


def _all() -> list[tuple[str, Any]]:
    return [(_readable(path), view) for path, view in _flat("", urlpatterns)]


def _flat(before: str, patterns: Any) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = before + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _flat(path, pattern.url_patterns)
        else:
            yield path, pattern.callback


def _readable(path: str) -> str:
    path = path.removesuffix("$")
    path = path.replace("(?P<sku>[A-Za-z0-9][A-Za-z0-9._-]{0,63})", "{sku}")
    return re.sub(r"<id:(\w+)>", r"{\1}", path)
