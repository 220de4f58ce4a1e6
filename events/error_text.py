"""Exceptions as rows keep them: bounded, without secrets, and with a fingerprint to group them by."""

import hashlib
import traceback
from collections.abc import Iterable
from dataclasses import dataclass

from events.redaction import hide_secrets

MESSAGE_LIMIT = 2_000  # characters of an error's message that a delivery keeps
TRACEBACK_LIMIT = 20_000
# Characters beside what is kept that are looked at too: a secret that a cut goes through would not be known as one.
_MARGIN = 2_000


@dataclass(frozen=True)
class ErrorText:
    """An exception as a dead letter keeps it."""

    type: str
    message: str
    traceback: str
    fingerprint: str  # equal for errors that are the same in kind: dead letters are grouped by it


def describe(error: BaseException) -> ErrorText:
    """Return the exception as a dead letter keeps it: type, message and traceback, each bounded, secrets hidden."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"[:200]
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    places = [f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}" for frame in frames]
    return ErrorText(
        type=name,
        message=_beginning(_message(error), MESSAGE_LIMIT),
        traceback=_end("".join(traceback.format_exception(error)), TRACEBACK_LIMIT),
        fingerprint=fingerprint(name, places),
    )


def fingerprint(error_type: str, places: Iterable[str] = ()) -> str:
    """Return what errors of one type from one place in the code have in common, whatever their messages say.

    `places` are functions, not lines: a release that moves lines does not split a group.
    """
    return hashlib.sha256("\n".join([error_type, *places]).encode()).hexdigest()[:16]


def without_secrets(text: str) -> str:
    """Return the text with the deployment's own secrets, and whatever looks like one, hidden.

    What PostgreSQL takes in no text (NULs, halves of surrogate pairs) is left out or written with a backslash.
    """
    return hide_secrets(text).replace("\0", "").encode(errors="backslashreplace").decode()


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot be told is written down all the same
        return "<the message cannot be told>"


def _beginning(text: str, limit: int) -> str:
    """Return at most `limit` characters from the beginning, secrets hidden."""
    seen = text[: limit + _MARGIN]
    hidden = without_secrets(seen)
    return (hidden if seen == text else hidden[:-_MARGIN])[:limit]


def _end(text: str, limit: int) -> str:
    """Return at most `limit` characters from the end, secrets hidden."""
    seen = text[-limit - _MARGIN :]
    hidden = without_secrets(seen)
    return (hidden if seen == text else hidden[_MARGIN:])[-limit:]
