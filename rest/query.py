"""Refuses query parameters that an operation does not know.

A misspelt filter would otherwise be ignored, and the answer would hold what the client did not ask for.
"""

from itertools import islice
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from rest.strict import MOST
from telemetry.request_line import route_of


class UnknownParameters(BaseThrottle):
    """Raises ValidationError, by name, for a query parameter that the OpenAPI document does not have for the operation.

    A throttle, because that is the one check of DRF that every view makes after its permissions and before it runs.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        route = route_of(request._request) or ""
        if not request.query_params or not route.startswith("/api/v1/"):
            return True
        known = view.schema.query_parameters("GET" if request.method == "HEAD" else request.method, route)
        if known is None:
            return True
        names = f"Known here: {', '.join(known)}." if known else "None is known here."
        unknown = islice((name for name in request.query_params if name not in known), MOST)
        if errors := {name: [f"There is no such parameter. {names}"] for name in unknown}:
            raise ValidationError(errors)
        return True
