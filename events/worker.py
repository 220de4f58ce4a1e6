"""The one bootstep in Celery's worker: what it does with a message for a handler that this code does not have."""

import logging
from typing import Any
from uuid import UUID

from celery import bootsteps
from celery.worker.consumer import Consumer
from django.conf import settings
from django.db import connection

from events import deliveries
from events.error_text import ErrorText, fingerprint
from events.models import Reason

logger = logging.getLogger(__name__)

NO_SUCH_HANDLER = "NoSuchHandler"


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
    """Set the delivery aside that this message carries. A message that carries none is left to Celery.

    Nothing is raised, whatever the message and the database are like: it would end the worker.
    """
    try:
        name = str(message.headers["task"])
        delivery_id, token = (UUID(str(value)) for value in message.decode()[0])
    except Exception:  # noqa: BLE001 - a stranger's message may hold anything
        return
    try:
        state = _set_aside(name, delivery_id, token)
        logger.warning("no handler %s here: delivery %s is %s", name, delivery_id, state)
    except Exception:
        logger.exception("could not set delivery %s aside; its lease will run out", delivery_id)
    finally:
        connection.close()  # this is the worker's main process: its pool forks, and must inherit no connection


def _set_aside(name: str, delivery_id: UUID, token: UUID) -> str | None:
    return deliveries.set_aside(
        delivery_id,
        token,
        reason=Reason.NO_SUCH_HANDLER,
        error=ErrorText(
            NO_SUCH_HANDLER, f"no worker here has a handler named {name}", "", fingerprint(NO_SUCH_HANDLER)
        ),
        grace=settings.EVENTS["UNKNOWN_GRACE"],
        delay=settings.EVENTS["UNKNOWN_RETRY"],
    )
