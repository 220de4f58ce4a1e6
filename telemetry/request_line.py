"""The log line of each request: how it was answered, to whom, and how long that took."""

import logging
import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

logger = logging.getLogger(__name__)

LONGEST_PATH = 300  # characters
PROBES = ("/health/", "/metrics")


def log_request(request: HttpRequest, response: HttpResponse, began: float) -> None:
    """Log a request that began then, by the monotonic clock. A probe that finds all well is of interest to few."""
    path = request.path[:LONGEST_PATH].encode("unicode_escape").decode()  # a line's end would make two lines of it
    milliseconds = round((time.monotonic() - began) * 1000, 1)
    fields: dict[str, Any] = {
        "method": request.method,
        "route": route_of(request),
        "status": response.status_code,
        "milliseconds": milliseconds,
        "user_id": _user_id(request),
    }
    level = logging.DEBUG if is_probe(request) else logging.INFO
    if response.status_code >= 500:
        level = logging.ERROR
    told = (request.method, path, response.status_code, milliseconds)
    logger.log(level, "%s %s: %d after %.0f ms", *told, extra=fields)


def route_of(request: HttpRequest) -> str | None:
    """Return the path as urls.py has it, with names for what stands in it; None where it has none like it."""
    match = request.resolver_match
    return f"/{match.route}" if match and match.route else None


def is_probe(request: HttpRequest) -> bool:
    return request.path.startswith(PROBES)


def _user_id(request: HttpRequest) -> Any:
    """Return the id of who asked, as far as it is known by now: for its line in the log nobody is looked up."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)  # where Django's middleware keeps whom it has looked up
    return user and user.pk
