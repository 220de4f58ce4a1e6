"""Gives every request an id, which stands in all that follows from it."""

import re
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from uuid_utils.compat import uuid7

from events.correlation import correlated
from telemetry import request_line

GetResponse = Callable[[HttpRequest], HttpResponse]
# No link: the id stands in the headers of mails, which may go to a stranger.
VALID_ID = re.compile(r"(?!.*://)[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)


class RequestIdMiddleware:
    """Gives every request an id (the caller's own, if valid) and every answer the header that tells it."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if VALID_ID.fullmatch(given) else str(uuid7())
        with correlated(request_id):
            response = self._get_response(request)
            request_line.log_request(request, response, began)
        response["X-Request-ID"] = request_id
        return response
