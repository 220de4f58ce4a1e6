"""The codes of errors that gRPC alone answers with; the others are those of REST."""

from rest.codes import Code

CODES = (
    Code(
        "deadline_required",
        400,
        "A gRPC call came without a deadline. The API over HTTP never says it.",
        "Set one: the seconds for which an answer is of use.",
        "A call needs a deadline: without one, who calls may wait for ever.",
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
        "shutting_down",
        503,
        "The server is being stopped. Over HTTP only `/health/ready` says it, to load balancers.",
        "Call again: another server answers, or this one's successor. Who watched an order is told its state first.",
        "This server is being stopped. Call again: another one answers, or this one's successor.",
    ),
)
