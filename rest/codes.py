"""What a `code` of an error answer is, and those that any operation may answer. Apps have theirs in their `openapi`."""

from dataclasses import dataclass
from http import HTTPStatus

PAGES = "/api/docs/problems/"
# As RFC 9110 has them; Python's own words for these depend on its version.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


@dataclass(frozen=True)
class Code:
    """A kind of error: its status, what it means, what the client does about it, and a `detail` as it may read."""

    name: str
    status: int
    meaning: str
    remedy: str
    example: str

    @property
    def uri(self) -> str:
        """The problem's `type`, and where its page is."""
        return f"{PAGES}{self.name}"

    @property
    def title(self) -> str:
        return title_of(self.status)


def title_of(status: int) -> str:
    """Return a status in words."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


CODES = (
    Code(
        "bad_request",
        400,
        "The request cannot be read, or names a host that is not served here.",
        "Look at the URL, the Host header and the encoding.",
        "The request cannot be read, or is for a host that is not served here.",
    ),
    Code(
        "parse_error",
        400,
        "The body is not JSON, is nested too deep, or gives a field twice.",
        "Send JSON in UTF-8; `detail` says where reading it stopped.",
        "JSON parse error - Expecting value: line 1 column 11 (char 10)",
    ),
    Code(
        "invalid_input",
        400,
        "The body, the query or a header was read, and some of it is not valid.",
        "`errors` names each place, in a body by a JSON pointer, and says what is wrong there. Correct it all.",
        "Some of the input is not valid.",
    ),
    Code(
        "not_authenticated",
        401,
        "There is no bearer token, and one is needed.",
        "Sign in with POST /api/v1/auth/token, then send `Authorization: Bearer TOKEN`.",
        "Authentication credentials were not provided.",
    ),
    Code(
        "authentication_failed",
        401,
        "The token is unknown, has expired or was signed out, or its account is closed.",
        "Sign in again, or send no token where none is needed.",
        "Invalid token.",
    ),
    Code(
        "permission_denied",
        403,
        "The account does not have the permission that this takes.",
        "Ask an administrator for the permission that the operation's description names, then send the request again.",
        "You do not have permission to perform this action.",
    ),
    Code(
        "csrf_failed",
        403,
        "A form of the admin came without its token, mostly because its page is an old one. The API never says it.",
        "Load the page again, with cookies allowed, and send the form from there.",
        "The form is an old one, or cookies are off. Load the page again.",
    ),
    Code(
        "not_found",
        404,
        "There is nothing at this path, or nothing that this account may see. The two are not told apart.",
        "Look at the path and the id, and at whose token it is.",
        "There is nothing at /api/v1/nothing.",
    ),
    Code(
        "method_not_allowed",
        405,
        "The path exists and does not take this method.",
        "Use one of the methods in the Allow header.",
        "/api/v1/auth/token does not take GET, but POST, DELETE, OPTIONS.",
    ),
    Code(
        "not_acceptable",
        406,
        "The Accept header leaves out what the answer could be.",
        "Accept application/json.",
        "Could not satisfy the request Accept header.",
    ),
    Code(
        "idempotency_key_in_use",
        409,
        "The first request with this Idempotency-Key is still at work.",
        "After the seconds in Retry-After, send the same request with the same key: you get the first one's answer.",
        "The first request with this Idempotency-Key is still at work. Ask again in a moment.",
    ),
    Code(
        "precondition_failed",
        412,
        "What If-Match asks for is not what is there now.",
        "Read it again, without the header.",
        "It has changed since: If-Match names another version.",
    ),
    Code(
        "request_timeout",
        408,
        "The body of the request did not arrive within 10 seconds.",
        "Send the whole request at once. Where the network is slow, send it again.",
        "The body did not arrive within 10 seconds. Send it again.",
    ),
    Code(
        "body_too_large",
        413,
        "The body is larger than 1 MiB.",
        "Send less.",
        "The body is larger than 1 MiB.",
    ),
    Code(
        "unsupported_media_type",
        415,
        "The body is not declared to be JSON.",
        "Send `Content-Type: application/json`.",
        'Unsupported media type "text/plain" in request.',
    ),
    Code(
        "range_not_satisfiable",
        416,
        "The file has none of the bytes that Range names.",
        "Read the file's size from Content-Length of a request without Range.",
        "The file has 8 bytes, and none of those that Range names.",
    ),
    Code(
        "idempotency_key_reused",
        422,
        "The Idempotency-Key was used before for this operation, with another path or body.",
        "Use a new key for a new request, and the old key only to repeat the old request.",
        "This Idempotency-Key was used for another path or body. Use a new key for a new request.",
    ),
    Code(
        "throttled",
        429,
        "There were more requests than the limit allows.",
        "Wait for the seconds in Retry-After, then send it again.",
        "Request was throttled. Expected available in 12 seconds.",
    ),
    Code(
        "internal_error",
        500,
        "A bug on our side.",
        "Tell us the `request_id`. The change may or may not be made: repeat the request under its Idempotency-Key.",
        "Something went wrong on our side. Tell us the request_id.",
    ),
    Code(
        "database_unavailable",
        503,
        "The database is away, takes no writes, or is too busy to answer in time. `detail` says which.",
        "Wait for the seconds in Retry-After, then send it again; a change under its Idempotency-Key.",
        "The database does not answer at the moment. Try again; under one Idempotency-Key nothing is done twice.",
    ),
    Code(
        "overloaded",
        503,
        "The server has more requests than it can answer in time.",
        "Wait for the seconds in Retry-After, then send it again; a change under its Idempotency-Key.",
        "The server has too much to do at the moment. Try again; under one Idempotency-Key nothing is done twice.",
    ),
)
