"""Dead letters and their groups as a shell shows them."""

import json
from collections.abc import Iterator
from datetime import datetime

from events.conf import setting
from events.letters.dead_letters import data_of, discard_effect
from events.letters.groups import Group
from events.models import DeadLetter
from events.subscriptions import dead_letter_queue

LINE = 120  # characters of an error in a list


def line(letter: DeadLetter) -> str:
    """Return a letter on one line."""
    error = _one_line(letter.error_type, letter.error_message)
    queue = dead_letter_queue(letter.consumer)
    return f"{letter.id}  {queue}  {letter.handler}  {letter.reason}  {_time(letter.handled_at)}  {error}"


def group_line(group: Group) -> str:
    """Return a group on one line."""
    died = f"{_time(group.oldest)} to {_time(group.newest)}"
    error = _one_line(group.error_type, group.error_message)
    return f"{group.count:>7}  {group.queue}  {group.handler}  {group.fingerprint or '-'}  {died}  {error}"


def page(letter: DeadLetter) -> Iterator[str]:
    """Return all that is known of a letter, line by line."""
    event, flower = letter.event, setting("FLOWER_URL")
    facts = {
        "id": letter.id,
        "queue": dead_letter_queue(letter.consumer),
        "handler": letter.handler,
        "event": f"{event.type} {event.id}",
        "subject": letter.subject,
        "request id": event.correlation_id,
        "state": letter.state,
        "reason": letter.reason,
        "attempts": f"{letter.attempts} of {letter.max_attempts}",
        "died": _time(letter.handled_at),
        "fingerprint": letter.fingerprint,
        "in Flower": f"{flower}/task/{letter.id}" if flower else None,
        "a discard does": discard_effect(letter.handler),
        "error": f"{letter.error_type}: {letter.error_message}",
        "data": json.dumps(data_of(letter), indent=2),
    }
    yield from (f"{name}: {value}" for name, value in facts.items() if value is not None)
    for attempt in letter.failed_attempts.all():
        error = _one_line(attempt.error_type, attempt.error_message)
        yield f"failed attempt {attempt.number}: {_time(attempt.started_at)} on {attempt.worker}: {error}"
    for decision in letter.decisions.all():
        yield f"{decision.action} by {decision.by}: {_time(decision.at)} {decision.reason}"
    for note in letter.notes.all():
        yield f"note by {note.by}: {_time(note.at)} {note.text}"
    yield letter.error_traceback


def _one_line(error_type: str, message: str) -> str:
    return f"{error_type}: {message}".split("\n", 1)[0][:LINE]


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"
