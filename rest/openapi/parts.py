"""The parts of the document that operations share: headers, parameters, and the error answers."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from rest.codes import Code
from rest.openapi.described import all_codes, described

Schema = dict[str, Any]

REQUEST_ID = "0193b1c5-02b3-7e4d-8c6b-1f2e3d4c5b6a"


def ref(kind: str, name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _header(
    name: str, description: str, example: Any = None, *, always: bool = True, **schema: Any
) -> tuple[str, Schema]:
    header = {"description": description, "required": always, "schema": {"type": "string"} | schema}
    return name, header if example is None else header | {"example": example}


# The headers of answers: component, its name on the wire, and what it is.
_HEADERS = {
    "RequestId": _header(
        "X-Request-ID",
        "The id of this request: yours, if you sent a valid one. It is on every log line, event and mail that follows"
        " from the request; give it when you report something.",
        REQUEST_ID,
    ),
    "Location": _header("Location", "Where the new thing is."),
    "ETag": _header(
        "ETag", "The version of what is shown; send it back in If-None-Match.", '"1f3870be274f6c49b3e31a0c6728957f"'
    ),
    "NoCache": _header("Cache-Control", "Whoever keeps this answer asks again before using it.", "private, no-cache"),
    "NoStore": _header("Cache-Control", "Nobody may keep this answer.", "no-store", const="no-store"),
    "IdempotentReplayed": _header(
        "Idempotent-Replayed",
        "`true` where this is the first answer under the Idempotency-Key, given again.",
        "true",
        always=False,
        const="true",
    ),
    "WwwAuthenticate": _header("WWW-Authenticate", "The scheme to sign in with.", "Bearer"),
    "RetryAfter": _header(
        "Retry-After", "Seconds to wait before the request is sent again.", 5, type="integer", minimum=1
    ),
    "RetryAfterKey": _header(
        "Retry-After",
        "With `idempotency_key_in_use`: seconds to wait before the request is sent again.",
        1,
        always=False,
        type="integer",
        minimum=1,
    ),
    "RateLimit": _header(
        "RateLimit",
        "What is left of the limits, and when they are full again (draft-ietf-httpapi-ratelimit-headers).",
        '"user";r=98;t=27',
        always=False,
    ),
    "RateLimitPolicy": _header(
        "RateLimit-Policy",
        "The limits: requests for each window of seconds (draft-ietf-httpapi-ratelimit-headers).",
        '"user";q=100;w=60',
        always=False,
    ),
}
LIMITS = ("RateLimit", "RateLimitPolicy")
_OF_STATUS = {401: ("WwwAuthenticate",), 429: ("RetryAfter",), 503: ("RetryAfter",)}
_OF_CODE = {"idempotency_key_in_use": ("RetryAfterKey",)}


def parameter(name: str, place: str, description: str, **schema: Any) -> Schema:
    """Return a parameter, a string where the schema gives no other type. One in a path is always required."""
    always = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **always, "description": description, "schema": {"type": "string"} | schema}


# Without examples: the page to try them on would send those as they are, and a second request would be the first again.
PARAMETERS: dict[str, Schema] = {
    "RequestId": parameter(
        "X-Request-ID",
        "header",
        "An id of your own for this request: up to 128 letters, digits and `. _ : / + = -`. Another is passed over, and"
        " one is made up.",
    ),
    "IdempotencyKey": parameter(
        "Idempotency-Key",
        "header",
        "A new value for each request (a UUID, say), and the same value for each repetition of it. The first successful"
        " answer is kept for 24 hours and given again byte for byte, with `Idempotent-Replayed: true`; nothing is done"
        " twice. Keys belong to one user and one operation. The same key with another path or body is 422, and 409"
        " while the first request is still at work.",
        minLength=1,
        maxLength=255,
        pattern="^[!-~]([ -~]*[!-~])?$",
    ),
    "IfNoneMatch": parameter(
        "If-None-Match",
        "header",
        "The ETag of what you have: where it is still that, the answer is 304, without a body.",
    ),
    "IfMatch": parameter(
        "If-Match",
        "header",
        "The ETag of what you have: where it has changed since, the answer is 412, and nothing is done.",
    ),
    "Cursor": parameter(
        "cursor", "query", "Which page: follow `next` and `previous` as they are. One that was made up is 400."
    ),
    "PageSize": parameter(
        "page_size", "query", "How many are on a page.", type="integer", minimum=1, maximum=100, default=20
    ),
}


def parameters() -> dict[str, Schema]:
    """Return the components of all parameters that operations share."""
    ids = {name: parameter(name, "path", text, format="uuid") for name, text in described().ids.items()}
    return {**PARAMETERS, **ids, **described().parameters}


def problem_schema() -> Schema:
    """Return the schema of an answer that says what went wrong."""
    return {
        "type": "object",
        "description": "What went wrong (RFC 9457). Decide by `code`: it is stable. `detail` is for people.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "A page on this code."},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."},
            "detail": {"type": "string", "description": "What went wrong this time."},
            "code": {"type": "string", "enum": sorted(all_codes()), "description": "What kind of error this is."},
            "request_id": {"type": "string", "description": "As in X-Request-ID."},
            "errors": {
                "type": "array",
                "description": "With `invalid_input`, each thing that is wrong.",
                "items": {
                    "type": "object",
                    "properties": {
                        "pointer": {
                            "type": "string",
                            "description": "Where it stands: a JSON pointer into the body (RFC 6901), or `/` and the"
                            " name of a query parameter or header. Empty: the whole.",
                        },
                        "detail": {"type": "string", "description": "What is wrong there."},
                    },
                    "required": ["pointer", "detail"],
                },
            },
        },
        "required": ["type", "title", "status", "detail", "code", "request_id"],
    }


def headers() -> dict[str, Schema]:
    """Return the components of all headers of answers."""
    examples = described().examples
    return {
        name: header | {"example": examples[name]} if name in examples else header
        for name, (_, header) in _HEADERS.items()
    }


def header_refs(names: Iterable[str], *, limited: bool) -> dict[str, Schema]:
    """Return the headers of one answer, by their names on the wire; X-Request-ID is always among them."""
    wanted = ("RequestId", *names, *(LIMITS if limited else ()))
    return {_HEADERS[name][0]: ref("headers", name) for name in wanted}


def problem_responses(codes: Iterable[str], *, limited: bool) -> dict[str, tuple[str, Schema]]:
    """Return, by status, the component's name and the answer with the codes of that status."""
    in_order = sorted((all_codes()[code] for code in set(codes)), key=lambda code: (code.status, code.name))
    answers = {}
    for status, same in groupby(in_order, key=lambda code: code.status):
        group = list(same)
        name = "Or".join(code.name.title().replace("_", "") for code in group)
        answers[str(status)] = (name if limited else f"{name}Unlimited", _answer(group, limited=limited))
    return answers


def _answer(codes: list[Code], *, limited: bool) -> Schema:
    of_codes = (name for code in codes for name in _OF_CODE.get(code.name, ()))
    return {
        "description": "\n".join(f"- `{code.name}`: {code.meaning} {code.remedy}" for code in codes),
        "headers": header_refs((*_OF_STATUS.get(codes[0].status, ()), *of_codes), limited=limited),
        "content": {
            "application/problem+json": {
                "schema": ref("schemas", "Problem"),
                "examples": {code.name: {"summary": code.meaning, "value": _example(code)} for code in codes},
            }
        },
    }


def _example(code: Code) -> Schema:
    """Return a problem with this code, as it may be answered."""
    examples = described().examples
    problem = {
        "type": code.uri,
        "title": code.title,
        "status": code.status,
        "detail": examples.get(code.name, code.example),
        "code": code.name,
        "request_id": REQUEST_ID,
    }
    return problem | {"errors": examples.get("errors", {})} if code.name == "invalid_input" else problem
