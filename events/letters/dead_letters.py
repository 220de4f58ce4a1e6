"""What a person does about a dead letter: replay it, perhaps edited, or discard it with a reason."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from pydantic import ValidationError

from events import parking
from events.correlation import correlated
from events.errors import EventsError, is_database_away
from events.models import LETTER, DeadLetter, Decision, Delivery, Note, State
from events.sql import fetch, state_of
from events.subscriptions import known_types, the_map
from events.types import UnknownType, event_type

_DECIDED = Exists(Decision.objects.filter(delivery=OuterRef("pk")))

DECIDE = "events.decide_deadletter"  # the permission
CHUNK = 500  # letters replayed in one transaction
BY_LIMIT = 200  # characters of a person's name, as the column has it
Progress = Callable[[int], object]  # is told how many more were looked at


def no_progress(count: int) -> None:
    """A progress that nobody looks at."""


class NotDead(EventsError):
    """The delivery is not, or no longer, a dead letter."""

    def __init__(self) -> None:
        super().__init__("Only a dead letter can be replayed or discarded, and this is not one, or no longer one.")


class InvalidInput(EventsError):
    """What a person gave cannot be taken. `problems` say what is wrong, by its place; "" is the whole."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.lines = [f"{place}: {told}" if place else told for place, told in problems.items()]
        super().__init__("; ".join(self.lines))


def is_refusal(error: Exception) -> bool:
    """Tell whether an error says to a person why not: one of ours, or an API's, which a compensation may raise."""
    return isinstance(error, EventsError) or hasattr(error, "detail")


def dead_letters() -> QuerySet[DeadLetter]:
    """Return the deliveries that wait for a person, in the order of their events."""
    return DeadLetter.objects.filter(state=State.DEAD).select_related("event").order_by("id")


def letters() -> QuerySet[DeadLetter]:
    """Return what is a dead letter or was one: the dead, the discarded, and the replayed, whatever became of them."""
    return DeadLetter.objects.filter(LETTER | _DECIDED).select_related("event").order_by("id")


def replayed_letters() -> QuerySet[DeadLetter]:
    """Return the deliveries about which somebody decided: found from the decisions, which are few."""
    return DeadLetter.objects.filter(_DECIDED).order_by("id")


def is_known_handler(name: str) -> bool:
    """Tell whether letters may be of this handler: it is subscribed, or was when it left some."""
    return name in the_map().handler_names() or DeadLetter.objects.filter(LETTER, handler=name).exists()


def is_known_type(name: str) -> bool:
    """Tell whether letters may be of this event type: this code has it, or there are some."""
    return name in known_types() or DeadLetter.objects.filter(LETTER, event_type=name).exists()


def replay(delivery_id: UUID, *, by: str, reason: str = "", data: dict[str, Any] | None = None) -> None:
    """Send a dead letter again from its first attempt, with other `data` if given (they must fit its type).

    Those that it holds go on waiting until it is done. An edit belongs to this delivery: the event, and what other
    handlers see of it, stay as they are. Raises NotDead; InvalidInput for data that do not fit.
    """
    with transaction.atomic():
        letter = _lock(delivery_id)
        edited = json.dumps(fitting(letter, data)) if data is not None else None
        fetch(_REPLAY, {"id": delivery_id, "edited": edited})
        _record(letter, Decision.Action.REPLAY, by, reason)


def replay_all(ids: Iterable[UUID], *, by: str, reason: str = "", progress: Progress = no_progress) -> int:
    """Replay many, some hundreds in a transaction; return how many. Those that are no longer dead are passed over.

    Where it breaks off, what came before is replayed, and doing all of it again does the rest.
    """
    count = 0
    for chunk in _chunks(ids):
        parameters = {"ids": chunk, "by": by[:BY_LIMIT], "reason": reason}
        count += len(fetch(_REPLAY_CHUNK, parameters))  # a transaction of its own, outside any
        progress(len(chunk))
    return count


def discard(delivery_id: UUID, *, by: str, reason: str) -> None:
    """Give a dead letter up for good. Where the books need the step, its compensation is made in this transaction.

    Raises NotDead, and whatever the compensation raises; nothing is changed then.
    """
    _check_reason(reason)
    with transaction.atomic():
        letter = _lock(delivery_id)
        compensate = the_map().compensation(letter.handler)
        if compensate is not None:
            with correlated(letter.event.correlation_id, letter.event.traceparent):
                compensate(letter.subject)
        fetch(_DISCARD, {"id": delivery_id})
        parking.wake_next(letter.subject, letter.consumer)
        _record(letter, Decision.Action.DISCARD, by, reason)


def discard_all(
    ids: Iterable[UUID], *, by: str, reason: str, progress: Progress = no_progress
) -> tuple[int, dict[UUID, Exception]]:
    """Discard many, each in its own transaction; return how many, and why those that failed did.

    Those that are no longer dead are passed over. Raises InvalidInput without a reason, and what says that the
    database is away.
    """
    _check_reason(reason)
    count, failed = 0, {}
    for delivery_id in ids:
        try:
            discard(delivery_id, by=by, reason=reason)
            count += 1
        except NotDead:
            pass
        except Exception as error:
            if is_database_away(error):
                raise
            failed[delivery_id] = error  # the person is told; one bad compensation does not keep the others waiting
        progress(1)
    return count, failed


def data_of(letter: Delivery) -> Any:
    """Return the data that the handler is given: the event's, or what a person made of them for this delivery."""
    return letter.event.data if letter.edited_data is None else letter.edited_data


def fitting(letter: Delivery, data: Any) -> dict[str, Any]:
    """Return an edit as it is kept. Raises InvalidInput where it does not fit the event's type, or is about another."""
    try:
        edited = event_type(letter.event_type).model_validate(data, extra="forbid")
    except UnknownType as error:
        raise InvalidInput({"": str(error)}) from error
    except ValidationError as error:
        raise InvalidInput({".".join(map(str, e["loc"])) or "data": e["msg"] for e in error.errors()}) from error
    if edited.subject != letter.subject:
        raise InvalidInput({"": "An edit may not make the event one about something else."})
    return edited.model_dump(mode="json")


def add_note(delivery_id: UUID, *, by: str, text: str) -> Note:
    """Keep what a person writes down about a letter, whatever became of it. Raises InvalidInput for an empty text."""
    if not text.strip():
        raise InvalidInput({"": "Write something."})
    return Note.objects.create(delivery_id=delivery_id, by=by[:BY_LIMIT], text=text)


def discard_effect(handler_name: str) -> str:
    """Return, in words, what is done when a dead letter of this handler is discarded."""
    compensation = the_map().compensation(handler_name)
    return (compensation.__doc__ or compensation.__name__).split("\n")[0] if compensation else "nothing else"


def _chunks(ids: Iterable[UUID]) -> Iterator[Sequence[UUID]]:
    remaining = iter(ids)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput({"": "Say why it is discarded."})


def _lock(delivery_id: UUID) -> DeadLetter:
    letter = (
        DeadLetter.objects.select_for_update(of=("self",), no_key=True)
        .select_related("event")
        .filter(pk=delivery_id, state=State.DEAD)
        .first()
    )
    if letter is None:
        raise NotDead
    return letter


def _record(letter: DeadLetter, action: Decision.Action, by: str, reason: str) -> None:
    Decision.objects.create(
        delivery_id=letter.id, action=action, by=by[:BY_LIMIT], reason=reason, died_at=letter.handled_at
    )


_SET_REPLAYED = """state = 'pending', reason = '', attempts = 0, waits = 0, waiting_since = NULL, waiting_for = '',
    handled_at = NULL, due_at = now()"""

_REPLAY = f"""
UPDATE events_delivery SET {_SET_REPLAYED}, edited_data = coalesce(%(edited)s::jsonb, edited_data)
WHERE id = %(id)s AND {state_of("events_delivery")} = 'dead'
RETURNING id
"""

_REPLAY_CHUNK = f"""
WITH dead AS (
    SELECT id, handled_at FROM events_delivery
    WHERE id = ANY(%(ids)s) AND {state_of("events_delivery")} = 'dead' ORDER BY id FOR NO KEY UPDATE
), replayed AS (
    UPDATE events_delivery d SET {_SET_REPLAYED} FROM dead WHERE d.id = dead.id
    RETURNING d.id, dead.handled_at
)
INSERT INTO events_decision (delivery_id, action, by, reason, died_at)
SELECT id, 'replay', %(by)s, %(reason)s, handled_at FROM replayed
RETURNING id
"""

_DISCARD = f"""
UPDATE events_delivery SET state = 'discarded', reason = '', handled_at = clock_timestamp()
WHERE id = %(id)s AND {state_of("events_delivery")} = 'dead'
RETURNING id
"""
