"""How a line of the log is written: for programs, one JSON object; for people, text. In either nothing private stands.

It needs no settings, so that a server's main process, which has none, writes its lines so too (server_log.json).
"""

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from celery import current_app

from events.hiding import hide_private, may_be_private

FORMATS = ("json", "text")
LONGEST = 20_000  # characters of a message, and of an exception's text from its end

# What every record has. Anything else in one is a field that was given by `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN = (str, int, float, bool, UUID, list)  # what a field may be: a request's repr, say, holds its query
_encode = json.JSONEncoder(default=str).encode


def make_formatter(kind: str = "") -> logging.Formatter:
    """Return the formatter of this kind, or of the one that LOG_FORMAT names."""
    kind = kind or os.environ.get("LOG_FORMAT", "json")
    return JsonLines(os.environ.get("PROCESS_KIND", "")) if kind == "json" else TextLines()


class JsonLines(logging.Formatter):
    """Writes each record as one object: what every line has, then what was given by `extra`, then the exception."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:LONGEST],
            "process": self._process,
            "request_id": "-",  # where there is one, RequestIdFilter has put it into the record
        }
        line |= {
            name: value
            for name, value in record.__dict__.items()
            if name not in _STANDARD and isinstance(value, _PLAIN)
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-LONGEST:]
        return _encode(_without_private(line))


def _without_private(line: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with what is private hidden in each; after that the line would be no JSON any more."""
    if not may_be_private("\n".join(value for value in line.values() if isinstance(value, str))):
        return line
    return {name: hide_private(value) if isinstance(value, str) else value for name, value in line.items()}


class TextLines(logging.Formatter):
    """Writes each record as a line to read, and its exception below."""

    def __init__(self) -> None:
        line = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"
        super().__init__(line, defaults={"request_id": "-"})  # a server's main process has no requests

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line."""
        line = super().formatMessage(record)[:LONGEST]
        return hide_private(line) if may_be_private(line) else line

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return the exception's text."""
        return hide_private(super().formatException(ei)[-LONGEST:])


class OnlyFailures(logging.Filter):
    """Keeps what Django says of a request only where there is a traceback: the request's own line tells the rest."""

    def filter(self, record: logging.LogRecord) -> bool:
        return bool(record.exc_info) and record.levelno >= logging.ERROR


class OnlyPlainTasks(logging.Filter):
    """Leaves out what Celery says of a delivery, since the bus says more, unless it failed: here is its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        name = str(record.args.get("name")) if isinstance(record.args, dict) else ""
        return record.levelno >= logging.ERROR or not getattr(current_app.tasks.get(name), "delivers", False)
