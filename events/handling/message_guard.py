"""The bootstep in Celery's worker that guards it: what it does with messages that its code cannot use.

Left to themselves, Celery drops some of them and ends at others: a list's entry that is not JSON stops the worker.
"""

import logging
from binascii import Error as Base64Error
from collections.abc import Callable
from json import JSONDecodeError
from types import TracebackType
from typing import Any
from uuid import UUID

from celery import bootsteps
from celery.worker.consumer import Consumer
from django.db import connection
from kombu.transport import virtual
from redis.exceptions import DataError

from events.conf import setting
from events.error_text import ErrorText, fingerprint
from events.handling import failures, unusable
from events.handling.unusable import Problem, Unusable
from events.models import Delivery, Reason

logger = logging.getLogger(__name__)

NO_SUCH_HANDLER = "NoSuchHandler"
READING = "_brpop_read"  # kombu's function that takes an entry from a broker's list and hands it on
# What reading an entry raises where the entry is to blame. Anything else is not for this step to hide.
BAD_ENTRY = (ValueError, TypeError, LookupError, AttributeError, RecursionError, DataError, Unusable)

Act = Callable[..., Any]


class MessageGuard(bootsteps.StartStopStep):
    """Keeps what no worker can use, and sets aside the deliveries of handlers that this code does not have.

    It changes this consumer and its channel alone, never a class. What it refuses of a Redis' list it raises as
    Unusable, up to where the entry was read: there the entry is still as it came. What RabbitMQ gave is kept at once.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Consumer, **options: Any) -> None:
        super().__init__(consumer, **options)

        def on_decode_error(message: Any, error: Exception) -> None:
            refuse(consumer, message, error)

        def on_invalid_task(body: Any, message: Any, error: Exception) -> None:
            refuse(consumer, message, error)

        mine: Any = consumer  # this instance's attributes, not its class's
        mine.create_task_handler = guarded_handler(consumer, consumer.create_task_handler)
        mine.on_decode_error = on_decode_error
        mine.on_invalid_task = on_invalid_task

    def start(self, consumer: Any) -> None:
        """Guard the channel that the consumer just opened."""
        channel = consumer.task_consumer.channel
        if reads_lists(channel):
            channel.handlers["BRPOP"] = guarded_reader(consumer, channel.handlers["BRPOP"])
            guard_qos(channel.qos)


def reads_lists(channel: Any) -> bool:
    """Tell whether this is kombu's channel to a Redis, which reads entries that may be anything."""
    return "BRPOP" in getattr(channel, "handlers", ())


def guarded_reader(consumer: Any, read: Act) -> Act:
    """Return `read`, which takes one entry from a broker's list, without its way to end the worker."""

    def guarded() -> Any:
        try:
            return read()
        except BAD_ENTRY as error:
            queue, item = entry_of(error.__traceback__)
            if item is None:
                raise
            problem = error.problem if isinstance(error, Unusable) else _problem(error)
            unusable.keep(item, problem, detail=_describe(error), queue=queue, worker=consumer.hostname)
            return None

    return guarded


def guard_qos(qos: Any) -> None:
    """Change how this channel keeps count of what was taken and not acknowledged, where the broker does not answer."""
    qos.restore_unacked = guarded_restore(qos.restore_unacked)
    qos.ack = letting_go(qos, qos.ack)
    qos.reject = letting_go(qos, qos.reject)


def letting_go(qos: Any, settle: Act) -> Act:
    """Return `settle`, which tells the broker what became of a message; here the message is settled either way.

    kombu 5.7 forgets it only once the broker has answered. One that never was, behind a frozen broker, would count as
    being worked on for ever, and a worker that may take one at a time would take none any more. The broker gives it out
    again after its visibility timeout, to be found stale.
    """

    def settled(tag: str, *given: Any, **named: Any) -> Any:
        try:
            return settle(tag, *given, **named)
        except Exception:
            virtual.QoS.ack(qos, tag)  # takes the tag off the count, and asks nobody
            raise

    return settled


def guarded_restore(restore: Act) -> Act:
    """Return `restore`, which gives back what was taken and not begun, without its way to end the worker.

    Of a connection that broke, kombu 5.7 has forgotten the address by then, and fails with AttributeError. Nothing
    could be given back there: leases bring deliveries back, and the broker's visibility timeout plain tasks.
    """

    def guarded(*given: Any, **named: Any) -> Any:
        try:
            return restore(*given, **named)
        except AttributeError as error:
            logger.warning("the broker is away, and keeps what was taken from it and not begun: %s", error)
            return None

    return guarded


def guarded_handler(consumer: Any, make_handler: Act) -> Act:
    """Return `make_handler`, whose handlers are given only what a task can be called with."""

    def make_guarded() -> Act:
        celerys_own = make_handler()

        def on_task_received(message: Any) -> Any:
            try:
                unusable.examine(message, consumer.app.tasks)
            except Unusable as error:
                return turn_away(consumer, message, error, celerys_own)
            try:
                return celerys_own(message)
            except BAD_ENTRY as error:
                refuse(consumer, message, error)

        return on_task_received

    return make_guarded


def turn_away(consumer: Any, message: Any, error: Unusable, celerys_own: Act) -> None:
    """Set the delivery aside that the message carries, else refuse it; either way the broker forgets it."""
    if error.problem is Problem.UNKNOWN_TASK:
        if set_aside_unknown(message):
            _reject(consumer, message)
            return
        _store_failure(message, celerys_own)
    refuse(consumer, message, error)


def refuse(consumer: Any, message: Any, error: Exception) -> None:
    """Have the broker forget the message. Raises Unusable where its entry is kept as it was read; else keeps it."""
    _reject(consumer, message)
    problem = error.problem if isinstance(error, Unusable) else Problem.UNREADABLE_BODY
    if reads_lists(message.channel):
        raise Unusable(problem, _describe(error)) from error
    queue = message.delivery_info.get("routing_key", "")
    unusable.keep(unusable.as_entry(message), problem, detail=_describe(error), queue=queue, worker=consumer.hostname)


def entry_of(trace: TracebackType | None) -> tuple[str, bytes | None]:
    """Return the queue and the entry that were being read when an error was raised, None where none was.

    kombu puts neither into the error. But a traceback has the frames, and a frame its variables.
    """
    while trace is not None:
        if trace.tb_frame.f_code.co_name == READING:
            seen = trace.tb_frame.f_locals
            return str(seen.get("dest", "")), seen.get("item")
        trace = trace.tb_next
    return "", None


def set_aside_unknown(message: Any) -> bool:
    """Set the deliveries aside that this message carries; False where it carries none.

    Nothing is raised, whatever the message and the database are like: it would end the worker.
    """
    name = str(message.headers.get("task"))
    try:
        sent = unusable.deliveries_of(message)
    except Unusable:
        return False
    try:
        if not Delivery.objects.filter(pk__in=sent).exists():
            return False
        for delivery_id, token in sent.items():
            state = _set_aside(name, delivery_id, token)
            logger.warning("no handler %s here: delivery %s is %s", name, delivery_id, state or "with somebody else")
    except Exception:
        logger.exception("could not set deliveries of %s aside; their leases will run out", name)
    finally:
        connection.close()  # this is the worker's main process: its pool forks, and must inherit no connection
    return True


def _set_aside(name: str, delivery_id: UUID, token: UUID) -> str | None:
    return failures.set_aside(
        delivery_id,
        token,
        reason=Reason.NO_SUCH_HANDLER,
        error=ErrorText(
            NO_SUCH_HANDLER, f"no worker here has a handler named {name}", "", fingerprint(NO_SUCH_HANDLER)
        ),
        grace=setting("UNKNOWN_GRACE"),
        delay=setting("UNKNOWN_RETRY"),
    )


def _store_failure(message: Any, celerys_own: Act) -> None:
    """Let Celery store the failure of a plain task that nobody knows: who sent it may be waiting for its result."""
    try:
        celerys_own(message)
    except Exception:
        logger.exception("the sender of an unknown task could not be told")
    finally:
        connection.close()


def _reject(consumer: Any, message: Any) -> None:
    if not message.acknowledged:
        message.reject_log_error(logger, consumer.connection_errors)


def _problem(error: Exception) -> Problem:
    if isinstance(error, JSONDecodeError | RecursionError):
        return Problem.NOT_JSON
    return Problem.UNREADABLE_BODY if isinstance(error, Base64Error) else Problem.NOT_A_MESSAGE


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, Unusable) else f"{type(error).__name__}: {error}"
