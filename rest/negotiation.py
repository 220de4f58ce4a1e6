"""Which form an answer has, by the request's Accept header."""

import re

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

LONGEST = 1_000
"""Characters that are read of an Accept header; browsers send about 150."""
REFUSED = re.compile(r"q\s*=\s*0(\.0*)?\s*", re.IGNORECASE)


class PlainNegotiation(DefaultContentNegotiation):
    """DRF's choice, by media types alone.

    No form of an answer has parameters, and DRF fails at some that a client may make up: after the write, even.
    """

    def get_accept_list(self, request: Request) -> list[str]:
        """Return the media types that the client takes, without parameters and without those of `q=0`."""
        given = request.META.get("HTTP_ACCEPT", "").strip()[:LONGEST] or "*/*"
        return [media_type for one in given.split(",") if (media_type := _accepted(one))]


def _accepted(given: str) -> str:
    """Return one entry's media type, nothing where the client refuses it."""
    media_type, *parameters = given.split(";")
    refused = any(REFUSED.fullmatch(parameter.strip()) for parameter in parameters)
    return "" if refused else media_type.strip().lower()
