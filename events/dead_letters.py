"""What a person does about a dead letter: replay it, perhaps edited, or discard it with a reason."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from pydantic import ValidationError
from rest_framework.exceptions import APIException
from rest_framework.exceptions import ValidationError as InvalidInput

from events import deliveries
from events.catalogue import event_type
from events.correlation import correlated
from events.models import DeadLetter, Decision, State
from events.sql import fetch
from events.subscriptions import the_map


class NotDead(APIException):
    """The delivery is not, or no longer, a dead letter."""

    status_code = 409
    default_code = "not_dead"
    default_detail = "Only a dead letter can be replayed or discarded, and this is not one, or no longer one."


def dead_letters() -> QuerySet[DeadLetter]:
    """Return the deliveries that wait for a person, the oldest first."""
    return DeadLetter.objects.filter(state=State.DEAD).select_related("event").order_by("handled_at", "id")


def replay(delivery_id: UUID, *, by: str, reason: str = "", data: dict[str, Any] | None = None) -> None:
    """Send a dead letter again from its first attempt, with other `data` if given (they must fit its type).

    Those that it holds go on waiting until it is done. An edit belongs to this delivery: the event, and what other
    handlers see of it, stay as they are. Raises NotDead; InvalidInput for data that do not fit.
    """
    with transaction.atomic():
        letter = _lock(delivery_id)
        if data is not None:
            data = _fitting(letter, data)
        edited = json.dumps(data) if data is not None else None
        fetch(_REPLAY, {"id": delivery_id, "edited": edited})
        _record(delivery_id, Decision.Action.REPLAY, by, reason)


def replay_all(letters: Iterable[UUID], *, by: str, reason: str = "") -> int:
    """Replay many, each in its own transaction; return how many. Those that are no longer dead are passed over."""
    return sum(_replayed(delivery_id, by, reason) for delivery_id in letters)


def discard(delivery_id: UUID, *, by: str, reason: str) -> None:
    """Give a dead letter up for good. Where the books need the step, its compensation is made in this transaction.

    Raises NotDead, and whatever the compensation raises; nothing is changed then.
    """
    if not reason.strip():
        raise InvalidInput({"reason": ["Say why it is discarded."]})
    with transaction.atomic():
        letter = _lock(delivery_id)
        compensate = the_map().compensation(letter.handler)
        if compensate is not None:
            with correlated(letter.event.correlation_id):
                compensate(letter.subject)
        fetch(_DISCARD, {"id": delivery_id})
        deliveries.wake_next(letter.subject, letter.consumer)
        _record(delivery_id, Decision.Action.DISCARD, by, reason)


def _replayed(delivery_id: UUID, by: str, reason: str) -> bool:
    try:
        replay(delivery_id, by=by, reason=reason)
    except NotDead:
        return False
    return True


def _lock(delivery_id: UUID) -> DeadLetter:
    letter = (
        DeadLetter.objects.select_for_update(of=("self",))
        .select_related("event")
        .filter(pk=delivery_id, state=State.DEAD)
        .first()
    )
    if letter is None:
        raise NotDead
    return letter


def _fitting(letter: DeadLetter, data: dict[str, Any]) -> dict[str, Any]:
    try:
        edited = event_type(letter.event_type).model_validate(data, extra="forbid")
    except ValidationError as error:
        problems = {".".join(map(str, e["loc"])): [e["msg"]] for e in error.errors()}
        raise InvalidInput({"data": problems}) from error
    if edited.subject != letter.subject:
        raise InvalidInput({"data": ["An edit may not make the event one about something else."]})
    return edited.model_dump(mode="json")


def _record(delivery_id: UUID, action: Decision.Action, by: str, reason: str) -> None:
    Decision.objects.create(delivery_id=delivery_id, action=action, by=by, reason=reason)


_REPLAY = """
UPDATE events_delivery
SET state = 'pending', reason = '', attempts = 0, waits = 0, waiting_since = NULL, waiting_for = '', handled_at = NULL,
    due_at = now(), edited_data = coalesce(%(edited)s::jsonb, edited_data)
WHERE id = %(id)s AND state = 'dead'
RETURNING id
"""

_DISCARD = """
UPDATE events_delivery SET state = 'discarded', reason = '', handled_at = clock_timestamp()
WHERE id = %(id)s AND state = 'dead'
RETURNING id
"""
