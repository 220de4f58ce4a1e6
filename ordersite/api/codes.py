"""Every `code` that an error answer can have: the one table behind the OpenAPI document and the pages on errors."""

from collections.abc import Mapping
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
        """The status in words."""
        return title_of(self.status)


def title_of(status: int) -> str:
    """Return a status in words."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


_ALL = [
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
        "deadline_required",
        400,
        "A gRPC call came without a deadline. The API over HTTP never says it.",
        "Set one: the seconds for which an answer is of use.",
        "A call needs a deadline: without one, who calls may wait for ever.",
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
        "wrong_credentials",
        401,
        "The e-mail address or the password is wrong; which of them is not told.",
        "Ask the person again.",
        "The e-mail address or the password is wrong.",
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
        "No Order matches the given query.",
    ),
    Code(
        "method_not_allowed",
        405,
        "The path exists and does not take this method.",
        "Use one of the methods in the Allow header.",
        "/api/v1/orders does not take DELETE, but GET, POST, OPTIONS.",
    ),
    Code(
        "not_acceptable",
        406,
        "The Accept header leaves out what the answer could be.",
        "Accept application/json.",
        "Could not satisfy the request Accept header.",
    ),
    Code(
        "wrong_status",
        409,
        "The order has gone on to a status from which this step is not possible.",
        "Read the order, and decide by its status. The same request will not succeed.",
        "Order O-1042 is fulfilled, so it cannot be cancelled now.",
    ),
    Code(
        "below_reserved",
        409,
        "The adjustment would leave fewer pieces on hand than are reserved for orders.",
        "Take away fewer, or cancel orders first.",
        "That would leave fewer pieces on hand than are reserved for orders.",
    ),
    Code(
        "not_dead",
        409,
        "The delivery is not, or no longer, a dead letter: somebody may have decided already.",
        "Read it again.",
        "Only a dead letter can be replayed or discarded, and this is not one, or no longer one.",
    ),
    Code(
        "report_not_ready",
        409,
        "The report waits, or is being built: there is no file yet.",
        "Read the report until its `status` is `ready`, then download it.",
        "The report is not ready. Ask for it until its status is `ready`.",
    ),
    Code(
        "report_failed",
        409,
        "The report could not be made. `detail` says why.",
        "Ask for another report, once what `detail` says is mended.",
        "It takes longer than a report may. Ask for a shorter period.",
    ),
    Code(
        "idempotency_key_in_use",
        409,
        "The first request with this Idempotency-Key is still at work.",
        "After the seconds in Retry-After, send the same request with the same key: you get the first one's answer.",
        "The first request with this Idempotency-Key is still at work. Ask again in a moment.",
    ),
    Code(
        "report_gone",
        410,
        "The report's file is gone: the report was deleted, or its time is over.",
        "Ask for a new report.",
        "The report's file is gone: it was deleted, or its time is over. Ask for a new report.",
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
        "too_many_calls",
        429,
        "As many gRPC calls are being answered as one server takes. The API over HTTP never says it.",
        "Call another server, or again after the seconds in the details.",
        "As many calls are being answered as one server takes. Try another one, or later.",
    ),
    Code(
        "too_many_watchers",
        429,
        "As many gRPC calls watch orders as one server takes. The API over HTTP never says it.",
        "Call another server, or again after the seconds in the details.",
        "As many calls watch orders as one server takes. Try another one, or later.",
    ),
    Code(
        "too_many_reports",
        429,
        "You have as many reports under way as one person may have.",
        "Wait until one of them is ready, or delete one, then ask again.",
        "You have 3 reports under way, and may have no more. Wait for one, or cancel one.",
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
    Code(
        "passwords_busy",
        503,
        "So many people are signing in or registering at this moment that the password could not be checked in time.",
        "Wait for the seconds in Retry-After, then send it again. It does not count as a failed sign-in.",
        "Too many people are signing in or registering at this moment. Try again in a few seconds.",
    ),
    Code(
        "shutting_down",
        503,
        "The gRPC server that was called is being stopped. The API over HTTP never says it.",
        "Call again: another server answers, or this one's successor. Who watched an order is told its state first.",
        "This server is being stopped. Call again: another one answers, or this one's successor.",
    ),
]
CODES: Mapping[str, Code] = {code.name: code for code in _ALL}
