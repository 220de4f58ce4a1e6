"""The log line of each delivery that was handled: in one form, so that its fields find it and count it."""

import logging
import time

from events.handlers import Handler
from events.handling.deliveries import Started

logger = logging.getLogger(__name__)


def log_outcome(
    handler: Handler,
    started: Started,
    outcome: str,
    why: str = "",
    *,
    level: int = logging.INFO,
    error: Exception | None = None,
    batch: int = 0,
) -> None:
    """Log what became of a delivery, and how long it took.

    `batch`: how many shared its message, and so its time; 0 for one that ran alone. A batch counts an attempt only
    where it is done.
    """
    attempt = started.attempts + (1 if batch else 0)
    milliseconds = round((time.monotonic() - started.began) * 1000, 1)
    fields: dict[str, object] = {
        "handler": handler.name,
        "delivery": started.id,
        "event_type": started.type,
        "subject": started.subject,
        "attempt": attempt,
        "outcome": outcome,
        "milliseconds": milliseconds,
    }
    if batch:
        fields["batch"] = batch
    if error is not None:
        fields["error"] = type(error).__qualname__
        why = f"{why}: {error!r}"
    message = "%s %s: %s at attempt %d after %.0f ms%s"
    told = (handler.name, started.id, outcome, attempt, milliseconds, why and f", {why}")
    logger.log(level, message, *told, extra=fields)
