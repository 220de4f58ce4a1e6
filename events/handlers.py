"""What a handler is, and what it receives. Handlers are declared with events/declare.py."""

from collections.abc import Callable, Iterable, Sequence
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
    """A named function that events are delivered to."""

    name: str
    function: Callable[[ReceivedEvent[Any]], None]
    shape: Shape
    policy: Policy
    many: Callable[[Sequence[ReceivedEvent[Any]]], Iterable[ReceivedEvent[Any]] | None] | None = None
    """The same for a whole batch: events of as many subjects. An outside one yields each event whose work is done."""

    @property
    def consumer(self) -> str:
        """The app that consumes the event; also the name of its queue."""
        return self.name.partition(".")[0]

    def __call__(self, event: ReceivedEvent[Any]) -> None:
        """Run the function itself, as tests do; the bus goes through events/handling/runner.py."""
        self.function(event)
