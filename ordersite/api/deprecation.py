"""Tells clients that a path is going away: the Deprecation (RFC 9745) and Sunset (RFC 8594) headers.

A view says so by attributes, which need no import:

    class OrderView(APIView):
        deprecated_at = datetime(2027, 1, 1, tzinfo=UTC)  # there is something better from then on
        sunset_at = datetime(2027, 7, 1, tzinfo=UTC)      # the path may be gone from then on
        deprecation_link = "/api/docs#/orders/getOrderV2" # what takes its place

docs/versioning.md says when.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date


class DeprecationMiddleware:
    """Puts the headers on every answer of a view that is deprecated, errors too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and say whether the path is going away."""
        response = self._get_response(request)
        match = request.resolver_match
        for name, value in deprecation_headers(getattr(match and match.func, "cls", None)).items():
            response[name] = value
        return response


def deprecation_headers(view: Any) -> dict[str, str]:
    """Return the headers of a view class; none where it is not deprecated."""
    deprecated, sunset = getattr(view, "deprecated_at", None), getattr(view, "sunset_at", None)
    link = getattr(view, "deprecation_link", None)
    if deprecated is None:
        return {}
    headers = {"Deprecation": f"@{int(deprecated.timestamp())}"}
    if sunset is not None:
        headers["Sunset"] = http_date(sunset.timestamp())
    if link is not None:
        headers["Link"] = f'<{link}>; rel="deprecation"; type="text/html"'
    return headers
