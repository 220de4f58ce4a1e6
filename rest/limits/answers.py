"""What an answer says of limits: the RateLimit fields, and the 429.

draft-ietf-httpapi-ratelimit-headers-10: a structured list each, of policies and of how the client stands with them.
"""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled

from rest.limits.counting import Standing
from rest.problems import problem_from_exception

_KEPT = "rest.limits"  # in the request's META, the one place that a request has for what others add


def note(request: HttpRequest, standing: Standing) -> None:
    """Keep how the client stands for the answer's headers; a limit that is off is not told."""
    if standing.limit.quota > 0:
        request.META.setdefault(_KEPT, []).append(standing)


def noted(request: HttpRequest) -> list[Standing]:
    kept: list[Standing] = request.META.get(_KEPT, [])
    return kept


def add_headers(response: HttpResponse, standings: Sequence[Standing]) -> None:
    if standings:
        response["RateLimit-Policy"] = ", ".join(
            f'"{one.limit.name}";q={one.limit.quota};w={one.limit.window}' for one in standings
        )
        response["RateLimit"] = ", ".join(f'"{one.limit.name}";r={one.remaining};t={one.seconds}' for one in standings)


def too_many(standing: Standing) -> HttpResponse:
    """Return the 429 of a view outside DRF; it is the one that DRF's throttles lead to."""
    return problem_from_exception(Throttled(wait=standing.seconds), {})
