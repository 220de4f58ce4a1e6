"""What a handler is, and what it receives. Handlers are declared with events/declare.py."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID

from events.policy import Policy
from events.types import EventData

T = TypeVar("T", bound=EventData)


@dataclass(frozen=True)
class ReceivedEvent(Generic[T]):
    """An event as a handler sees it."""

    id: UUID
    type: str
    subject: UUID
    sequence: int
    time: datetime
    correlation_id: str
    traceparent: str
    data: T


class Shape(Enum):
    """Where a handler acts: in the database alone, or on something else (mail, files) too."""

    EFFECT = "effect"
    OUTSIDE = "outside"


@dataclass(frozen=True, eq=False)
class Handler:
    """A named function that events are delivered to.

    It takes one event, or, where it is of `many`, those of a message, each of another subject. Of many, one that acts
    outside the database yields each event whose work is done.
    """

    name: str
    function: Callable[..., Any]
    shape: Shape
    policy: Policy
    many: bool = False

    @property
    def consumer(self) -> str:
        """The app that consumes the event; also the name of its queue."""
        return self.name.partition(".")[0]

    def __call__(self, *events: ReceivedEvent[Any]) -> None:
        """Run the function on these events, as tests do; the bus goes through events/handling/runner.py."""
        if self.many:
            list(self.function(events) or ())
            return
        for event in events:
            self.function(event)
