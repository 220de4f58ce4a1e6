"""Every route, as the site's own URL table has it."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver

from ordersite.urls import urlpatterns

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
