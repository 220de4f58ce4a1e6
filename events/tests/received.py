"""Events as handlers see them, for tests that call a handler by itself."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from events.handlers import ReceivedEvent
from events.types import EventData

T = TypeVar("T", bound=EventData)


def received(data: T, *, time: datetime | None = None, correlation_id: str = "request-1") -> ReceivedEvent[T]:
    """An event with this data."""
    return ReceivedEvent(
        id=uuid4(),
        type=data.type,
        subject=data.subject,
        sequence=1,
        time=time or datetime.now(UTC),
        correlation_id=correlation_id,
        traceparent="",
        data=data,
    )
