"""How a line of the log is written: for programs, one JSON object; for people, text. In either nothing private stands.

It needs no settings, so that a server's main process, which has none, writes its lines so too (web/server.py).
"""

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from celery import current_app

from events.errors import in_one_line, is_database_away
from events.redaction import hide_private, may_be_private

FORMATS = ("json", "text")
LONGEST = 20_000  # characters of a message, and of an exception's text from its end
MARGIN = 2_000  # characters more are looked at, so that a secret at the cut is seen whole

# What every record has. Anything else in one is a field that was given by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN = (str, int, float, bool, UUID, list)  # what a field may be: a request's repr, say, holds its query
_encode = json.JSONEncoder(default=str, allow_nan=False).encode


def make_formatter(kind: str = "") -> logging.Formatter:
    """Return the formatter of this kind, or of the one that LOG_FORMAT names."""
    kind = kind or os.environ.get("LOG_FORMAT", "json")
    return JsonLines(os.environ.get("PROCESS_KIND", "")) if kind == "json" else TextLines()


class _Formatter(logging.Formatter):
    """Writes an exception's traceback; of a database that is away only what it said: nothing is wrong with the code."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        text = in_one_line(ei[1]) if is_database_away(ei[1]) else super().formatException(ei)
        return _hidden(text[-(LONGEST + MARGIN) :])[-LONGEST:]


class JsonLines(_Formatter):
    """Writes each record as one object: what every line has, then what was given by `extra`, then the exception."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "process": self._process,
            "request_id": "-",  # where there is one, RequestIdFilter has put it into the record
        }
        line |= {
            name: value
            for name, value in record.__dict__.items()
            if name not in _STANDARD and isinstance(value, _PLAIN)
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if may_be_private("\n".join(map(str, line.values()))):
            line = {name: _redacted(value) for name, value in line.items()}  # in JSON it could no longer be hidden
        return _encoded(line)


def _message(record: logging.LogRecord) -> str:
    """Return the message, cut; of one whose arguments do not fit it, what was to be said with them."""
    try:
        return _beginning(record.getMessage())
    except Exception as error:  # noqa: BLE001 - a log line may break nothing, and logging would print all it was given
        return _beginning(f"{record.msg} (its arguments do not fit: {type(error).__name__})")


def _beginning(text: str) -> str:
    return _hidden(text[: LONGEST + MARGIN])[:LONGEST]  # first hidden: what is cut through is no longer known


def _hidden(text: str) -> str:
    return hide_private(text) if may_be_private(text) else text


def _redacted(value: Any) -> Any:
    if isinstance(value, list):
        return [_redacted(each) for each in value]
    return hide_private(value) if isinstance(value, str) else value


def _encoded(line: dict[str, Any]) -> str:
    try:
        return _encode(line)
    except ValueError:  # JSON has no NaN and no infinity
        return _encode({name: str(value) if isinstance(value, float | list) else value for name, value in line.items()})


class TextLines(_Formatter):
    """Writes each record as a line to read, and its exception below."""

    def __init__(self) -> None:
        line = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"
        super().__init__(line, defaults={"request_id": "-"})  # a server's main process has no requests

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _beginning(super().formatMessage(record))


class OnlyFailures(logging.Filter):
    """Keeps what Django says of a request only where there is a traceback to show: other lines tell the rest."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return error is not None and not is_database_away(error) and record.levelno >= logging.ERROR


class OnlyPlainTasks(logging.Filter):
    """Leaves out what Celery says of a delivery, since the bus says more, unless it failed: here is its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        name = str(record.args.get("name")) if isinstance(record.args, dict) else ""
        return record.levelno >= logging.ERROR or not getattr(current_app.tasks.get(name), "delivers", False)
