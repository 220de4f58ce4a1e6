"""The id that ties a request to every log line, event, task and e-mail that follows from it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from events import tracing

_current: ContextVar[str] = ContextVar("correlation_id", default="")


def current() -> str:
    """Return the correlation id of the work at hand, or "" outside any."""
    return _current.get()


def begin(correlation_id: str) -> None:
    """Put the work at hand under this correlation id, until another takes its place."""
    _current.set(correlation_id)


@contextmanager
def correlated(correlation_id: str, traceparent: str = "") -> Iterator[None]:
    """Do the enclosed work under this correlation id, and in this context of a trace where there is one."""
    token = _current.set(correlation_id)
    try:
        with tracing.under(traceparent):
            yield
    finally:
        _current.reset(token)


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to every log record, "-" outside any request, and `trace_id` where there is a trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current() or "-"
        if trace_id := tracing.trace_id():
            record.trace_id = trace_id
        return True
