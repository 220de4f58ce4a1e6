"""Messages that the broker gave a worker and no worker can use: told from the others, and kept for an operator to see.

A message is only a hint, so nothing of the promise is lost with one. But somebody sent it, and would want to know.
"""

import base64
import json
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from events.error_text import without_secrets
from events.errors import EventsError
from events.models import UnusableMessage
from events.policy import default_limits
from events.sql import bounded_transaction

logger = logging.getLogger(__name__)

KEPT = 10_000  # rows; what comes when there are as many is only logged
RAW_LIMIT = 10_000  # characters
DETAIL_LIMIT = 2_000
LOGGED = 200  # characters of a message that could not be kept
LONGEST_SECRET = 1_000  # characters: what is cut off in the middle of a secret would not be known for one

Problem = UnusableMessage.Problem


class Unusable(EventsError):
    """No worker can use this message; `problem` says in a word why."""

    def __init__(self, problem: UnusableMessage.Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


def examine(message: Any, tasks: Mapping[str, Any]) -> None:
    """Raise Unusable unless one of these tasks may be called as the message says. Nothing in it is executed.

    Celery would find some of this out in the middle of its own work, and end, or in the pool, and tell nobody.
    """
    payload = _decode(message)
    about = message.headers if "task" in message.headers else payload  # Celery's protocol 1: all is in the body
    if not isinstance(about, dict) or not all(isinstance(about.get(name), str) for name in ("task", "id")):
        raise Unusable(Problem.NOT_A_MESSAGE, "it has no name of a task, or no id")
    if not _is_timelimit(about.get("timelimit")):
        raise Unusable(Problem.NOT_A_MESSAGE, f"its time limit is {about['timelimit']!r}")
    args, kwargs = _arguments(payload)
    task = tasks.get(about["task"])
    if task is None:
        raise Unusable(Problem.UNKNOWN_TASK, f"no worker here has a task named {about['task']}")
    _check_call(task, args, kwargs)


def deliveries_of(message: Any) -> dict[UUID, UUID]:
    """Return the tokens that a message of deliveries carries, by their ids. Raises Unusable."""
    return _ids(_arguments(_decode(message))[0])


def keep(item: bytes, problem: UnusableMessage.Problem, *, detail: str, queue: str, worker: str) -> None:
    """Write down a message as it came. Raises nothing, whatever the message and the database are like."""
    text = readable(item)
    start = _bounded(text, LOGGED)
    logger.error("a message that no worker can use in %s (%s: %s): %s", queue, problem, _bounded(detail, LOGGED), start)
    row = UnusableMessage(
        queue=_bounded(queue, 100),
        worker=_bounded(worker, 100),
        problem=problem,
        detail=_bounded(detail, DETAIL_LIMIT),
        raw=_bounded(text, RAW_LIMIT),
        size=len(item),
    )
    try:
        with bounded_transaction(default_limits()):
            _write(row)
    except Exception:
        logger.exception("it could not be kept")
    finally:
        connection.close()  # this is the worker's main process: its pool forks, and must inherit no connection


def as_entry(message: Any) -> bytes:
    """Return a message of RabbitMQ's as the entry that it would be in a list of Redis."""
    body = message.body if isinstance(message.body, bytes) else str(message.body).encode(errors="backslashreplace")
    entry = {
        "body": base64.b64encode(body).decode(),
        "content-type": message.content_type,
        "content-encoding": message.content_encoding,
        "headers": message.headers,
        "properties": {name: value for name, value in message.properties.items() if name != "application_headers"},
    }
    return json.dumps(entry, default=repr).encode()


def readable(item: bytes) -> str:
    """Return the message as text, its body after it: in the base64 of an envelope no secret would be found."""
    try:
        envelope = json.loads(item)
        body = base64.b64decode(envelope["body"], validate=True)
    except (ValueError, TypeError, LookupError, RecursionError):
        return item.decode(errors="backslashreplace")
    rest = json.dumps({name: value for name, value in envelope.items() if name != "body"})
    return f"{rest}\n{body.decode(errors='backslashreplace')}"


def _write(row: UnusableMessage) -> None:
    if UnusableMessage.objects.count() >= KEPT:
        logger.error("it is not kept: there are %d already", KEPT)
    else:
        row.save()


def _bounded(text: str, limit: int) -> str:
    """Return the text without secrets, cut off, and what cannot be printed as escapes."""
    shown = "".join(map(_printable, text[: limit + LONGEST_SECRET]))
    return without_secrets(shown)[:limit]


def _printable(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return character.encode("unicode_escape").decode()


def _decode(message: Any) -> Any:
    try:
        return message.decode()
    except Exception as error:  # whatever a decoder makes of a stranger's bytes
        raise Unusable(Problem.UNREADABLE_BODY, f"{type(error).__name__}: {error}") from error


def _arguments(payload: Any) -> tuple[list[Any], dict[str, Any]]:
    match payload:
        case [list() as args, dict() as kwargs, dict() | None]:
            return args, kwargs
        case {"args": list() as args}:
            kwargs = payload.get("kwargs", {})
            if isinstance(kwargs, dict):
                return args, kwargs
    raise Unusable(Problem.UNREADABLE_BODY, "its body is not the arguments of a task")


def _check_call(task: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    header = getattr(task, "__header__", None)  # Celery's own copy of the function's signature
    if header is not None and task.typing:
        try:
            header(*args, **kwargs)
        except TypeError as error:
            raise Unusable(Problem.UNREADABLE_BODY, f"{task.name}: {error}") from error
    if getattr(task, "delivers", False):
        _ids(args)


def _ids(args: list[Any]) -> dict[UUID, UUID]:
    try:
        ids, tokens = ([UUID(value) for value in (arg if isinstance(arg, list) else [arg])] for arg in args)
        return dict(zip(ids, tokens, strict=True))
    except (ValueError, TypeError, AttributeError) as error:
        raise Unusable(Problem.UNREADABLE_BODY, "its arguments are not the ids of deliveries") from error


def _is_timelimit(limits: Any) -> bool:
    """Tell whether Celery can use it: a bad one costs the worker a place in its pool."""
    if not limits:
        return True
    return isinstance(limits, list) and len(limits) == 2 and all(isinstance(s, int | float | None) for s in limits)
