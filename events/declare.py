"""Declares handlers, beside the code that they call.

    @effect("inventory.reserve_items")
    def reserve_items(event: ReceivedEvent[OrderCreatedV1]) -> None: ...

The part of the name before the dot is the *consumer*: its Celery queue, its order and its dead letters. The name is
also that of the Celery task which runs the handler, and so what Flower shows.

There are two shapes. An *effect* is a change in the database: it runs inside the transaction that also marks the
delivery done, so it happens exactly once. An *outside* handler acts on something else (mail, files): it runs with no
transaction open, may run twice, and must bear that.

Under a backlog a message tells of several deliveries, each of another subject. A handler that is declared with
`many=True` takes the events of a message, one or several, and does their work together:

    @effect("inventory.reserve_items", many=True)
    def reserve_items(events: Sequence[ReceivedEvent[OrderCreatedV1]]) -> None: ...

If it raises, nothing is changed, and each event is sent again alone. An outside one yields each event when its work is
done, so that only the others are sent again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, TypeVar, overload
from uuid import UUID

from celery import Task, shared_task

from events import flower
from events.handlers import Handler, ReceivedEvent, Shape
from events.handling.runner import run
from events.policy import Policy
from events.types import EventData

T = TypeVar("T", bound=EventData)


class OfOne(Protocol):
    """Makes a handler of a function that takes one event."""

    def __call__(self, function: Callable[[ReceivedEvent[T]], None], /) -> Handler: ...


class EffectOfMany(Protocol):
    """Makes a handler of a function that takes the events of a message."""

    def __call__(self, function: Callable[[Sequence[ReceivedEvent[T]]], None], /) -> Handler: ...


class OutsideOfMany(Protocol):
    """Makes a handler of a function that takes the events of a message, and yields each whose work is done."""

    def __call__(self, function: Callable[[Sequence[ReceivedEvent[T]]], Iterable[ReceivedEvent[T]]], /) -> Handler: ...


@overload
def effect(name: str, *, many: Literal[False] = False, **policy: Any) -> OfOne: ...
@overload
def effect(name: str, *, many: Literal[True], **policy: Any) -> EffectOfMany: ...
def effect(name: str, *, many: bool = False, **policy: Any) -> Any:
    """Declare a handler whose whole effect is in the database. `policy`: what Policy takes.

    Without `many` the events of a message have a transaction each.
    """
    return lambda function: _declare(Handler(name, function, Shape.EFFECT, Policy(**policy), many))


@overload
def outside(name: str, *, many: Literal[False] = False, result: bool = False, **policy: Any) -> OfOne: ...
@overload
def outside(name: str, *, many: Literal[True], **policy: Any) -> OutsideOfMany: ...
def outside(name: str, *, many: bool = False, result: bool = False, **policy: Any) -> Any:
    """Declare a handler that acts outside the database. `policy`: what Policy takes.

    Without `many` no two share a message: such work may take long, and the other would wait for it.
    `result`: the task's state, and what the handler tells of itself (events/jobs.py), are kept as a plain task's are,
    for jobs that somebody asks about. The delivery stays the record; the result only shows it.
    """
    bounds = Policy(**policy if many else policy | {"batch": 1})
    return lambda function: _declare(Handler(name, function, Shape.OUTSIDE, bounds, many), result=result)


def _declare(handler: Handler, *, result: bool = False) -> Handler:
    """Register the Celery task that runs the handler: early ack, no retries of Celery's own."""

    def deliver(task: "Task[Any, Any]", delivery: str | list[str], token: str | list[str]) -> str:
        ids, tokens, parents = map(_listed, (delivery, token, task.request.get("traceparent")))
        sent = dict(zip(map(UUID, ids), map(UUID, tokens), strict=True))
        told = run(handler, sent, worker=str(task.request.hostname), parents=dict(zip(sent, parents, strict=False)))
        return flower.end(told, result=result)

    deliver.__doc__ = handler.function.__doc__
    limits = handler.policy.limits
    options: dict[str, Any] = {"bind": True, "soft_time_limit": limits.soft, "time_limit": limits.hard}
    options["delivers"] = True  # an attribute of the task: its arguments are a delivery's ids
    options |= flower.task_options(result=result)
    shared_task(name=handler.name, **options)(deliver)  # type: ignore[no-untyped-call]
    return handler


def _listed(given: str | list[str] | None) -> list[str]:
    """Return what a message says of its deliveries: of one alone as it is, of several as a list, or nothing."""
    return given if isinstance(given, list) else [given] if given else []
