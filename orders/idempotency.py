"""Answers each idempotency key once: the second request gets the first one's answer, byte for byte."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from rest_framework.exceptions import APIException, ValidationError

from events.clock import transaction_time
from events.purge import purge_rows
from orders.models import StoredAnswer


class KeyInUse(APIException):
    """The first request with this key is still at work."""

    status_code = 409
    default_code = "idempotency_key_in_use"
    default_detail = "The first request with this Idempotency-Key is still at work. Ask again in a moment."


class KeyReused(APIException):
    """The key came with another body before."""

    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used with another body. Use a new key for a new request."


@dataclass(frozen=True)
class Answer:
    """A successful answer, rendered."""

    status_code: int
    body: bytes
    location: str
    replayed: bool = False


def check_key(key: str) -> str:
    """Return the key, or raise ValidationError where it is not 1 to 255 printable ASCII characters."""
    if 0 < len(key) <= 255 and key.isascii() and key.isprintable():
        return key
    raise ValidationError({"Idempotency-Key": ["Give 1 to 255 printable ASCII characters."]})


@transaction.atomic
def answer_once(*, user_id: UUID, route: str, key: str, body: Any, make: Callable[[], Answer]) -> Answer:
    """Return the stored answer of this user, route and key, or make one and store it in the same transaction.

    The lock comes first and is not waited for: fifty duplicates at once must not each hold a connection. Who does not
    get it may find the answer all the same, when the lock is that of another repetition. Raises KeyInUse, KeyReused,
    and what `make` raises; nothing is stored then, so the key may be tried again.
    """
    locked = _lock(f"{user_id} {route} {key}")
    body_hash = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    stored = StoredAnswer.objects.filter(user_id=user_id, route=route, key=key).first()
    if stored and stored.created_at > transaction_time() - _kept():
        return _again(stored, body_hash)
    if not locked:
        raise KeyInUse
    if stored:
        stored.delete()
    answer = make()
    StoredAnswer.objects.create(
        user_id=user_id,
        route=route,
        key=key,
        body_hash=body_hash,
        status_code=answer.status_code,
        location=answer.location,
        body=answer.body,
    )
    return answer


def purge_answers() -> int:
    """Delete the answers whose time is over; return how many."""
    return purge_rows(StoredAnswer.objects.filter(created_at__lt=Now() - _kept()))


def _kept() -> timedelta:
    return timedelta(hours=settings.IDEMPOTENCY_HOURS)


def _lock(name: str) -> bool:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        row = cursor.fetchone()
    return bool(row[0])


def _again(stored: StoredAnswer, body_hash: str) -> Answer:
    if stored.body_hash != body_hash:
        raise KeyReused
    return Answer(stored.status_code, bytes(stored.body), stored.location, replayed=True)
