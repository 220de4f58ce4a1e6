"""What an event type is, and which this code knows. A published type never changes; a break is a new version.

No secret and no e-mail address stands in an event: handlers look such things up.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from events.errors import EventsError


class UnknownType(EventsError):
    """This code has no event type of that name and version."""


class TypeTaken(EventsError):
    """Two event types of one name and version: what was published as the one would be read as the other."""


class Part(BaseModel):
    """A part of an event's data: frozen. A field that this code does not know yet is ignored, as readers should."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventData(Part, ABC):
    """The base of all event types. `example` is the data of one such event, for the documents that tell of the type."""

    type: ClassVar[str]
    example: ClassVar[Mapping[str, Any]] = {}

    @property
    @abstractmethod
    def subject(self) -> UUID:
        """Return the id of what the event is about; events of one subject keep their order."""


_TYPES: dict[str, type[EventData]] = {}
T = TypeVar("T", bound=EventData)


def register(kind: type[T]) -> type[T]:
    """Make an event type known under its name, wherever its class stands. Raises TypeTaken."""
    if kind.type in _TYPES:
        raise TypeTaken(f"{kind.type} is {_TYPES[kind.type]}, so it cannot be {kind}")
    _TYPES[kind.type] = kind
    return kind


def event_type(name: str) -> type[EventData]:
    """Return the event type of this name, or raise UnknownType."""
    try:
        return _TYPES[name]
    except KeyError:
        raise UnknownType(f"this code knows no event type {name!r}") from None


def registered() -> set[str]:
    """Return the names of all event types that this code knows."""
    return set(_TYPES)
