"""Answers each Idempotency-Key once: a repetition gets the first answer, byte for byte.

A view declares it on its `post`:

    @answered_once("POST /things/{thing_id}/close")
    def post(self, request: Request, thing_id: UUID) -> Response:

A key belongs to one user and one operation. With another path or another body it is refused (422). Only a success is
stored, rendered, in the transaction of the change: where the change is, its answer is, and where one is not, neither
is the other.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.failpoints import failpoint
from events.purge import purge_rows
from events.sql import execute_soon, fetch
from rest.models import StoredAnswer

HEADER = "Idempotency-Key"
View = TypeVar("View", bound=APIView)
Path = ParamSpec("Path")


class KeyInUse(APIException):
    status_code = 409
    default_code = "idempotency_key_in_use"
    default_detail = "The first request with this Idempotency-Key is still at work. Ask again in a moment."
    wait = 1  # seconds, as Retry-After: most requests take a tenth of that


class KeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for another path or body. Use a new key for a new request."


def answered_once(
    operation: str,
) -> Callable[[Callable[Concatenate[View, Request, Path], Response]], Callable[..., HttpResponse]]:
    """Return a decorator that makes a view's method honour Idempotency-Key.

    `operation` is the method and the path of the API, as in `POST /things/{thing_id}/close`. The method runs in one
    transaction with the storing of its answer; of the answer's headers only `Location` is stored and sent.
    """

    def decorate(method: Callable[Concatenate[View, Request, Path], Response]) -> Callable[..., HttpResponse]:
        @wraps(method)
        def honouring(view: View, request: Request, *args: Path.args, **kwargs: Path.kwargs) -> HttpResponse:
            def make() -> Answer:
                response = method(view, request, *args, **kwargs)
                return Answer(response.status_code, JSONRenderer().render(response.data), response.get("Location", ""))

            key = request.headers.get(HEADER)
            if key is None:
                return _respond(make())
            asked = _Asked(cast(UUID, request.user.pk), operation, check_key(key), _fingerprint(request.data, kwargs))
            return _respond(_answer_once(asked, make))

        honouring.answered_once = operation  # type: ignore[attr-defined]  # a test reads it for each route
        return honouring

    return decorate


@dataclass(frozen=True)
class Answer:
    """A successful answer, rendered."""

    status_code: int
    body: bytes
    location: str
    replayed: bool = False


def _respond(answer: Answer) -> HttpResponse:
    failpoint("answer.committed")
    headers = {"Location": answer.location} if answer.location else {}
    headers |= {"Idempotent-Replayed": "true"} if answer.replayed else {}
    return HttpResponse(answer.body, status=answer.status_code, content_type="application/json", headers=headers)


def _fingerprint(body: Any, path: dict[str, Any]) -> str:
    """Return what tells one request of an operation from another: a hash of the body and of what the path names."""
    named = "".join(f" {value}" for value in path.values())
    return hashlib.sha256(f"{json.dumps(body, sort_keys=True)}{named}".encode()).hexdigest()


def check_key(key: str) -> str:
    """Return the key, or raise ValidationError where it is not 1 to 255 printable ASCII characters."""
    if 0 < len(key) <= 255 and key.isascii() and key.isprintable():
        return key
    raise ValidationError({HEADER: ["Give 1 to 255 printable ASCII characters."]})


@dataclass(frozen=True)
class _Asked:
    user_id: UUID
    operation: str
    key: str
    fingerprint: str


@transaction.atomic
def _answer_once(asked: _Asked, make: Callable[[], Answer]) -> Answer:
    """Return the stored answer to this request, or make one and store it in the same transaction.

    The lock is not waited for: fifty duplicates at once must not each hold a connection. Who does not get it may find
    the answer all the same, when the lock is that of another repetition. Raises KeyInUse, KeyReused, and what `make`
    raises; nothing is stored then, so the key may be tried again.
    """
    locked, stored = _lock_and_look(asked)
    if stored is not None:
        if stored.body_hash != asked.fingerprint:
            raise KeyReused
        return Answer(stored.status_code, bytes(stored.body), stored.location, replayed=True)
    if not locked:
        raise KeyInUse
    answer = make()
    _store(asked, answer)
    return answer


def purge_answers() -> int:
    """Delete the answers whose time is over; return how many."""
    return purge_rows(StoredAnswer.objects.filter(created_at__lt=Now() - _retention()))


def _retention() -> timedelta:
    return timedelta(hours=settings.IDEMPOTENCY_HOURS)


class _Stored(NamedTuple):
    body_hash: str
    status_code: int
    location: str
    body: bytes


# The look is a statement of its own, behind the lock: so it sees what the last one who had the lock has stored.
_LOCK = "SELECT set_config('rest.is_locked', pg_try_advisory_xact_lock(%(number)s)::text, true)"
_LOOK = """
SELECT current_setting('rest.is_locked')::boolean, a.body_hash, a.status_code, a.location, a.body
FROM (SELECT) AS always LEFT JOIN orders_storedanswer a
    ON a.user_id = %(user)s AND a.route = %(route)s AND a.key = %(key)s AND a.created_at > now() - %(kept)s::interval
"""

# An expired answer is replaced. A live one cannot be there, as the key is locked. If it were, created_at would become
# NULL, which is refused, and the whole request would be rolled back.
_STORE = """
INSERT INTO orders_storedanswer AS a (user_id, route, key, body_hash, status_code, location, body, created_at)
VALUES (%(user)s, %(route)s, %(key)s, %(body_hash)s, %(status_code)s, %(location)s, %(body)s, now())
ON CONFLICT (user_id, route, key) DO UPDATE
SET body_hash = EXCLUDED.body_hash, status_code = EXCLUDED.status_code, location = EXCLUDED.location,
    body = EXCLUDED.body,
    created_at = CASE WHEN a.created_at <= now() - %(kept)s::interval THEN EXCLUDED.created_at END
"""


def _lock_and_look(asked: _Asked) -> tuple[bool, _Stored | None]:
    """Try to lock the key to the end of the transaction, then look for its answer."""
    name = f"{asked.user_id} {asked.operation} {asked.key}"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    execute_soon(_LOCK, {"number": number})
    ((locked, *stored),) = fetch(_LOOK, _place(asked))
    return locked, _Stored(*stored) if stored[0] is not None else None


def _store(asked: _Asked, answer: Answer) -> None:
    """Store the answer, under a key that is locked."""
    values = {
        "body_hash": asked.fingerprint,
        "status_code": answer.status_code,
        "location": answer.location,
        "body": answer.body,
    }
    execute_soon(_STORE, _place(asked) | values)


def _place(asked: _Asked) -> dict[str, Any]:
    return {"user": asked.user_id, "route": asked.operation, "key": asked.key, "kept": _retention()}
