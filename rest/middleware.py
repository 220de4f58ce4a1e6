"""What holds for every path of the API before its view is reached."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from rest_framework.exceptions import APIException

from rest.problems import problem, problem_from_exception
from telemetry.request_id import GetResponse

# Unversioned paths of the API that are pages of their own.
PAGES = ("/api/v1", "/api/schema", "/api/docs", "/api/events")
# Pages outside the API that answer with and without a slash at the end, as it does.
OUTSIDE = ("/health/live/", "/health/ready/", "/metrics/")


class HostMiddleware(CommonMiddleware):
    """Django's own, but that health and metrics are told whatever host is asked for: a kubelet, and Prometheus, ask for
    the address of the pod.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        asked_by_address = request.path.startswith(("/health/", "/metrics"))
        return None if asked_by_address else super().process_request(request)


class ApiPathMiddleware:
    """Makes /api/x answer as /api/v1/x (by a 308), with and without a slash at the end, and 405 before 401."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith("/api/"):
            if not any(path == page or path.startswith(f"{page}/") for page in PAGES):
                versioned = request.get_full_path().replace("/api/", "/api/v1/", 1)
                return HttpResponsePermanentRedirect(versioned, preserve_request=True)  # 308: method and body are kept
            request.path_info = path.removesuffix("/")
        elif path in OUTSIDE:
            request.path_info = path.removesuffix("/")
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Refuse a wrong method whoever asks: DRF would ask for a token first."""
        cls = getattr(view, "cls", None)
        if cls is None:
            return None
        allowed = cls().allowed_methods
        if request.method in allowed or (request.method == "HEAD" and "GET" in allowed):
            return None
        return wrong_method(request, ", ".join(allowed))


class ProblemMiddleware:
    """Answers errors of views outside DRF as those of the API: with a body that tells what is wrong."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code not in (405, 412) or response.get("Content-Type") == "application/problem+json":
            return response
        if response.status_code == 405:
            return wrong_method(request, response["Allow"])
        detail = "It is not in the version that the request asks for. Read it again."
        return problem(412, "precondition_failed", detail)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a service raised for the client to see, such as PasswordsBusy on the admin's sign-in page."""
        return problem_from_exception(exception, {}) if isinstance(exception, APIException) else None


def wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    """Return the 405 of a path that takes only the methods allowed."""
    detail = f"{request.path} does not take {request.method}, but {allowed}."
    return problem(405, "method_not_allowed", detail, headers={"Allow": allowed})
