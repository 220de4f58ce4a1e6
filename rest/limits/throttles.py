"""The limits as DRF asks for them, before each view (DEFAULT_THROTTLE_CLASSES)."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from rest.limits import sign_in
from rest.limits.addresses import client_address, client_network
from rest.limits.answers import note, noted
from rest.limits.counting import Standing, by_place, count, limit

_TRIED = "ordersite.sign_in"  # in the request's META: who tries, for when it has failed


class RequestThrottle(BaseThrottle):
    """Counts every request: of a person, or of the address of somebody who is not signed in."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request and tell whether it may go on."""
        self._standing = count_request(request._request)
        return not self._standing.exceeded

    def wait(self) -> float:
        return self._standing.seconds


class BrakeThrottle(BaseThrottle):
    """The stricter limits, on what is posted to views with a `throttle_scope`."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count what counts before it is tried, and tell whether it may be."""
        scope = getattr(view, "throttle_scope", None)
        self._refused = None
        if scope is None or request.method != "POST":
            return True
        if any(standing.exceeded for standing in noted(request._request)):
            return True  # refused already: what else this request is may stay unread and uncounted
        given = request.data
        email = given.get("email") if isinstance(given, Mapping) else None
        attempt = sign_in.Attempt.of(request._request, email)
        self._refused = REFUSALS[scope](attempt)
        if self._refused:
            note(request._request, self._refused)
        elif scope == "sign-in":
            request._request.META[_TRIED] = attempt
        return self._refused is None

    def wait(self) -> float | None:
        return self._refused.seconds if self._refused else None


REFUSALS = {"sign-in": sign_in.refuse_sign_in, "registration": sign_in.refuse_registration}


def count_request(request: HttpRequest) -> Standing:
    """Count a request of whoever sends it, and keep how they stand for the answer; return the limit that refuses it.

    Where none does, return how they stand with the first.
    """
    if request.user.is_authenticated:
        standings = count((limit("user"), request.user.pk.hex))
    else:
        standings = count(*by_place("", client_address(request), client_network(request)))
    for standing in standings:
        note(request, standing)
    return next((standing for standing in standings if standing.exceeded), standings[0])


def tried_to_sign_in(request: HttpRequest) -> sign_in.Attempt | None:
    """Return who tried to sign in by this request, None where nobody did."""
    attempt: sign_in.Attempt | None = request.META.get(_TRIED)
    return attempt
