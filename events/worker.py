"""The one bootstep in Celery's worker: what it does with a message for a handler that this code does not have."""

import logging
from typing import Any
from uuid import UUID

from celery import bootsteps
from celery.worker.consumer import Consumer
from django.conf import settings
from django.db import close_old_connections, connection

from events import deliveries
from events.deliveries import ErrorText
from events.models import Reason

logger = logging.getLogger(__name__)


class UnknownHandlers(bootsteps.StartStopStep):
    """Gives a delivery whose handler is unknown here back to the relay, uncounted, instead of dropping its message.

    The usual cause is a deploy in progress: a newer process publishes for a handler that this worker will have soon.
    """

    def __init__(self, consumer: Consumer, **options: Any) -> None:
        super().__init__(consumer, **options)
        celerys_own = consumer.on_unknown_task

        def on_unknown_task(body: Any, message: Any, error: Exception) -> None:
            set_aside_unknown(message)
            celerys_own(body, message, error)

        setattr(consumer, "on_unknown_task", on_unknown_task)  # noqa: B010 - this instance's, not the class's


def set_aside_unknown(message: Any) -> None:
    """Set the delivery aside that this message carries; a message that carries none is Celery's business."""
    try:
        name = str(message.headers["task"])
        delivery_id, token = (UUID(value) for value in message.decode()[0])
    except (KeyError, TypeError, ValueError):
        return
    error = ErrorText("NoSuchHandler", f"no worker here has a handler named {name}", "")
    policy = settings.EVENTS
    try:
        state = deliveries.set_aside(
            delivery_id,
            token,
            reason=Reason.NO_SUCH_HANDLER,
            error=error,
            grace=policy["UNKNOWN_GRACE"],
            delay=policy["UNKNOWN_RETRY"],
        )
        logger.warning("no handler %s here: delivery %s is %s", name, delivery_id, state)
    except Exception:
        logger.exception("could not set delivery %s aside; its lease will run out", delivery_id)
        close_old_connections()
    finally:
        connection.close()  # this is the worker's main process: its pool forks, and must inherit no connection
