"""What is done about limits when a request is answered."""

from django.http import HttpRequest, HttpResponse

from rest.limits import sign_in
from rest.limits.answers import add_headers, noted, too_many
from rest.limits.throttles import count_request, tried_to_sign_in
from telemetry.request_id import GetResponse


class RateLimitMiddleware:
    """Counts what no throttle saw, and sign-ins that failed; writes the RateLimit headers."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        attempt = tried_to_sign_in(request)
        if attempt and response.status_code == 401:
            sign_in.sign_in_failed(attempt)
        if response.status_code in (401, 403) and _is_limited(request) and not noted(request):
            # DRF asks for token and rights before its throttles: whoever sends dead tokens would be free to go on.
            standing = count_request(request)
            if standing.exceeded:
                response = too_many(standing)
        add_headers(response, noted(request))
        return response


def _is_limited(request: HttpRequest) -> bool:
    """Tell whether a view with throttles was to answer."""
    view = getattr(request.resolver_match, "func", None)
    return bool(getattr(getattr(view, "cls", None), "throttle_classes", None))
