"""Declares handlers, beside the code that they call.

    @effect("inventory.reserve_items")
    def reserve_items(event: ReceivedEvent[OrderCreatedV1]) -> None: ...

The part of the name before the dot is the *consumer*: its Celery queue, its order and its dead letters. The name is
also that of the Celery task which runs the handler, and so what Flower shows.

There are two shapes. An *effect* is a change in the database: it runs inside the transaction that also marks the
delivery done, so it happens exactly once. An *outside* handler acts on something else (mail, files): it runs with no
transaction open, may run twice, and must bear that.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Ignore

from events.handlers import Handler, ReceivedEvent, Shape
from events.handling.batch_runner import run_batch
from events.handling.runner import NOT_OURS, run
from events.policy import Policy, make_policy
from events.types import EventData

T = TypeVar("T", bound=EventData)
HandlerFunction = Callable[[ReceivedEvent[T]], None]


def effect(
    name: str, *, many: Callable[[Sequence[ReceivedEvent[T]]], None] | None = None, **policy: Any
) -> Callable[[HandlerFunction[T]], Handler]:
    """Declare a handler whose whole effect is in the database. `policy`: what make_policy() takes.

    `many` does the same for the events of a batch in one transaction, all or nothing; without it each has its own.
    """
    return _declare(name, Shape.EFFECT, make_policy(**policy), many)


def outside(
    name: str,
    *,
    many: Callable[[Sequence[ReceivedEvent[T]]], Iterable[ReceivedEvent[T]]] | None = None,
    result: bool = False,
    **policy: Any,
) -> Callable[[HandlerFunction[T]], Handler]:
    """Declare a handler that acts outside the database. `policy`: what make_policy() takes.

    `many` does the same for the events of a batch, yielding each when it is done; without it there are no batches.
    `result`: the task's state, and what the handler tells of itself (events/jobs.py), are kept as a plain task's are,
    for jobs that somebody asks about. The delivery stays the record; the result only shows it.
    """
    limited = make_policy(**policy if many else {"batch": 1} | policy)
    return _declare(name, Shape.OUTSIDE, limited, many, result=result)


def _declare(
    name: str, shape: Shape, policy: Policy, many: Any, *, result: bool = False
) -> Callable[[HandlerFunction[Any]], Handler]:
    def decorate(function: HandlerFunction[Any]) -> Handler:
        handler = Handler(name, function, shape, policy, many)
        _make_task(handler, result=result)
        return handler

    return decorate


def _make_task(handler: Handler, *, result: bool) -> None:
    """Register the Celery task that runs the handler: early ack, no retries of Celery's own.

    Its result is not stored, unless it is to be. Then a copy of a message must leave it alone: neither STARTED, which
    Celery would write before our code knows of the copy, nor an end.
    """

    def deliver(task: "Task[Any, Any]", delivery: str | list[str], token: str | list[str]) -> str:
        worker = str(task.request.hostname)
        traceparent = task.request.get("traceparent")  # as the ids: one, or one for each, or none
        if isinstance(delivery, list):
            ids = [UUID(one) for one in delivery]
            sent = dict(zip(ids, map(UUID, token), strict=True))
            return run_batch(handler, sent, worker=worker, parents=dict(zip(ids, traceparent or [], strict=False)))
        told = run(handler, UUID(delivery), UUID(str(token)), worker=worker, parent=traceparent or "")
        if result and told in NOT_OURS:
            raise Ignore(told)
        return told

    deliver.__doc__ = handler.function.__doc__
    limits = handler.policy.limits
    options: dict[str, Any] = {"bind": True, "soft_time_limit": limits.soft, "time_limit": limits.hard}
    options["delivers"] = True  # an attribute of the task: its arguments are a delivery's ids
    options |= {"track_started": False} if result else {"ignore_result": True}
    shared_task(name=handler.name, **options)(deliver)  # type: ignore[no-untyped-call]
