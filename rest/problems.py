"""Every error as RFC 9457 problem+json."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions

from events.correlation import current
from events.errors import in_one_line, is_database_away, sqlstate
from rest.codes import PAGES, title_of

logger = logging.getLogger(__name__)

RETRY_AFTER = 5  # seconds: a restart of PostgreSQL takes about as long
# lock_timeout, statement_timeout, idle_in_transaction_session_timeout, transaction_timeout, deadlock detected,
# serialization failure
_CANCELLED = ("55P03", "57014", "25P03", "25P04", "40P01", "40001")

_NO_ANSWER = "The database does not answer at the moment."
_WHY_AWAY = {  # by SQLSTATE
    "25006": "The database is read-only at the moment.",
    "53100": "The database's disk is full.",
    "53300": "The database has no connection left.",
    "57P03": "The database is starting up or shutting down.",
    "55P03": "The database is too busy at the moment.",
    "57014": "The database is too busy at the moment.",
}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return an error answer. `code` is stable: clients decide by it."""
    body = problem_body(status, code, detail)
    if errors is not None:
        body["errors"] = errors
    return as_response(body, headers or {})


def as_response(body: Mapping[str, Any], headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(
        json.dumps(body), status=body["status"], content_type="application/problem+json", headers=dict(headers)
    )


def problem_body(status: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": f"{PAGES}{code}",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": current(),
    }


def problem_from_exception(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Return the answer to whatever a view raised (DRF's EXCEPTION_HANDLER)."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        return problem(400, "invalid_input", "Some of the input is not valid.", errors=list(_pointers(error.detail)))
    if isinstance(error, exceptions.APIException):
        return _from_api_exception(error)
    if isinstance(error, RequestDataTooBig):
        return body_too_large()
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return problem(400, "bad_request", f"The request cannot be read: {error}")
    if may_pass(error):
        return database_away(error)
    logger.error("unexpected error", exc_info=error)
    return server_error()


def database_away(error: BaseException | None) -> HttpResponse:
    """Return the 503 of a database that is away, read-only, full or too busy."""
    logger.warning("database away: %s", in_one_line(error))
    detail = f"{why_away(error)} Try again; under one Idempotency-Key nothing is done twice."
    return problem(503, "database_unavailable", detail, headers={"Retry-After": str(RETRY_AFTER)})


def why_away(error: BaseException | None) -> str:
    """Return a sentence that says why the database does not do its work, and nothing private of it."""
    return _WHY_AWAY.get((error and sqlstate(error)) or "", _NO_ANSWER)


def failed(request: HttpRequest) -> HttpResponse:
    """Return the answer to what a view outside DRF, or a middleware, raised: Django calls this as handler500."""
    error = sys.exception()
    return database_away(error) if may_pass(error) else server_error()


def server_error() -> HttpResponse:
    """Return the 500 of a bug; the log has the details under the request's id."""
    return problem(500, "internal_error", "Something went wrong on our side. Tell us the request_id.")


@csrf_exempt  # whatever the method: nothing is here to protect
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return the 404 of an unknown path."""
    return problem(404, "not_found", f"There is nothing at {request.path}.")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return the 400 of a request that Django refuses, such as one for an unknown host; 413 for a form too large."""
    if isinstance(exception, RequestDataTooBig):
        return body_too_large()
    return problem(400, "bad_request", "The request cannot be read, or is for a host that is not served here.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return the 403 of a view outside DRF."""
    return problem(403, "permission_denied", "You may not do this.")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the 403 of a form without its token (Django's CSRF_FAILURE_VIEW)."""
    return problem(403, "csrf_failed", "The form is an old one, or cookies are off. Load the page again.")


def body_too_large() -> HttpResponse:
    return problem(413, "body_too_large", "The body is larger than 1 MiB.")


def may_pass(error: BaseException | None) -> bool:
    """Tell whether the database is away, or too busy."""
    return isinstance(error, DatabaseError) and (is_database_away(error) or sqlstate(error) in _CANCELLED)


def _from_api_exception(error: exceptions.APIException) -> HttpResponse:
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(wait)
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else str(error.default_code)
    return problem(error.status_code, code, str(error.detail), headers=headers)


def _pointers(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Flatten DRF's nested error detail into JSON pointers (RFC 6901) and texts."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            step = "" if name == "non_field_errors" else f"/{str(name).replace('~', '~0').replace('/', '~1')}"
            yield from _pointers(inner, pointer + step)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _pointers(inner, f"{pointer}/{index}" if nested else pointer)
    else:
        yield {"pointer": pointer, "detail": str(detail)}
