"""Answers for requests that the front (web/front.py) refused before Django had seen them."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from uuid_utils.compat import uuid7

from events.correlation import correlated
from rest.problems import body_too_large, problem
from telemetry.request_id import GetResponse

REFUSED = "ordersite.refused"
"""The key in a WSGI environ that says why. No header can set it: theirs begin with HTTP_."""

BROKEN_OFF, OVERLOADED, TOO_LARGE, TOO_SLOW = "broken_off", "overloaded", "too_large", "too_slow"
RETRY_AFTER = 5  # seconds


class RefusedMiddleware:
    """Answers them inside Django, so that each has a request id, a line in the log and a place in the metrics."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        refused = request.META.get(REFUSED)
        return _ANSWERS[refused]() if refused else self._get_response(request)


def overloaded() -> HttpResponse:
    detail = "The server has too much to do at the moment. Try again; under one Idempotency-Key nothing is done twice."
    return problem(503, "overloaded", detail, headers={"Retry-After": str(RETRY_AFTER)})


def too_slow() -> HttpResponse:
    detail = "The body did not arrive within 10 seconds. Send it again."
    return problem(408, "request_timeout", detail, headers={"Connection": "close"})


def broken_off() -> HttpResponse:
    """Return the 400 of a body that ended early, or whose chunks are malformed."""
    return problem(400, "bad_request", "The body of the request cannot be read.", headers={"Connection": "close"})


_ANSWERS: dict[str, Callable[[], HttpResponse]] = {
    BROKEN_OFF: broken_off,
    OVERLOADED: overloaded,
    TOO_LARGE: body_too_large,
    TOO_SLOW: too_slow,
}


def probe_timed_out() -> tuple[int, list[tuple[str, str]], bytes]:
    """Return the answer to a probe whose thread still waits for something: status, headers, body."""
    request_id = str(uuid7())
    with correlated(request_id):
        answer: Any = problem(503, "database_unavailable", "The check took longer than 2 seconds: the database hangs.")
    headers = [*answer.items(), ("X-Request-ID", request_id), ("Cache-Control", "no-store")]
    return answer.status_code, headers, answer.content
