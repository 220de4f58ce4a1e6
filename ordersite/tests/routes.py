"""Every route of /api/v1, as the site's own URL table has it."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver

from ordersite.urls import v1

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def api_routes() -> list[tuple[str, Any]]:
    """(path, view class) of each, with paths such as `orders/{order_id}/cancel`."""
    return [(_readable(pattern), getattr(pattern.callback, "cls", None)) for pattern in _flat(v1)]


def api_operations() -> set[str]:
    """Such as `POST orders/{order_id}/cancel`."""
    return {
        f"{method} {path}"
        for path, view in api_routes()
        for method in view().allowed_methods
        if method in METHODS
    }  # fmt: skip


def _flat(patterns: Any) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern


def _readable(pattern: URLPattern) -> str:
    path = str(pattern.pattern).removeprefix("^").removesuffix("$")
    path = path.replace("(?P<sku>[A-Za-z0-9][A-Za-z0-9._-]{0,63})", "{sku}")
    return path.replace("<id:", "{").replace(">", "}")
