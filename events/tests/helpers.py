"""What the bus's tests share. They play the relay's and the worker's parts by hand, on the real database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.models import Func
from django.test import override_settings

from events import floors
from events.errors import PermanentError
from events.handlers import Handler, ReceivedEvent, Shape
from events.handling import deliveries, runner
from events.handling.deliveries import Started
from events.models import Delivery
from events.policy import Policy
from events.publishing import publish
from events.relaying import claims
from events.relaying.claims import Claim
from events.subscriptions import the_map
from events.types import EventData

T = TypeVar("T", bound=EventData)

SORT, ANNOUNCE = "sorting.sort_parcel", "letters.announce"  # of a parcel that was packed (parcels.py)


@contextmanager
def subscriptions_of(module: str) -> Iterator[None]:
    """Have the bus read the map of this module until the block ends."""
    try:
        with override_settings(EVENTS=settings.EVENTS | {"SUBSCRIPTIONS": module}):
            the_map.cache_clear()
            yield
    finally:
        the_map.cache_clear()


def published(*events: EventData) -> list[UUID]:
    with transaction.atomic():
        return publish(*events)


def received(data: T, *, time: datetime | None = None, correlation_id: str = "request-1") -> ReceivedEvent[T]:
    """An event with this data as handlers see it, for tests that call a handler by itself."""
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


def handler(
    function: Callable[[Any], Any], name: str = SORT, shape: Shape = Shape.EFFECT, *, many: bool = False, **policy: Any
) -> Handler:
    """A handler of an existing name with other code, as a new release would bring."""
    return Handler(name, function, shape, Policy(**policy), many)


def nothing(event: Any) -> None:
    """A handler that succeeds."""


def stumble(event: Any) -> None:
    """A handler that fails for now."""
    raise ValueError("no luck")


def be_away(*_: Any, **__: Any) -> None:
    """What the database does that is away, in place of anything that asks it."""
    raise OperationalError("the connection is closed")


def break_down(event: Any) -> None:
    """A handler that fails for good."""
    raise PermanentError("bad data")


def claimed(queue: str = "sorting") -> tuple[UUID, UUID]:
    """Claim the one delivery that is due; return its id and token, as a message would carry them."""
    claim = claims.claim(queue, 1)
    assert claim is not None, f"nothing is due in {queue}"
    return claim.deliveries[0].id, claim.deliveries[0].token


def tokens(claim: Claim | None) -> dict[UUID, UUID]:
    """The tokens of what was claimed by their deliveries' ids, as one message would carry them."""
    assert claim is not None, "nothing was claimed"
    return {delivery.id: delivery.token for delivery in claim.deliveries}


def run(the_handler: Handler) -> str:
    """Claim the one delivery that is due in the handler's queue, and run it."""
    return runner.run(the_handler, dict([claimed(the_handler.consumer)]), worker="test")


def start_one(delivery_id: UUID, token: UUID, *, worker: str, lease: int) -> Started | None:
    """Start the delivery of a message that tells of it alone."""
    return next(iter(deliveries.start({delivery_id: token}, worker=worker, lease=lease)), None)


def dead_letter(name: str, event: EventData) -> UUID:
    """Publish this event and let its delivery to this handler die; return its id."""
    (event_id,) = published(event)
    make_due(handler=name, event_id=event_id)  # before those of other events
    with pytest.raises(PermanentError):
        run(handler(break_down, name))
    return only(handler=name, event_id=event_id, state="dead").id


def command(*arguments: object) -> str:
    """What a command of manage.py prints."""
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def only(**filters: Any) -> Delivery:
    return Delivery.objects.get(**filters)


def make_due(**filters: Any) -> None:
    """Let the back-off of these deliveries be over."""
    Delivery.objects.filter(**filters, state="pending", due_at__isnull=False).update(due_at="2020-01-01T00:00:00Z")


def due_since(seconds: float, **filters: Any) -> None:
    """Let these deliveries have been due for so many seconds."""
    floors.kept.forget()
    ids = list(Delivery.objects.filter(**filters).values_list("id", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_delivery SET due_at = clock_timestamp() - make_interval(secs => %s) WHERE id = ANY(%s)",
            [seconds, ids],
        )


def let_the_lease_run_out(**filters: Any) -> None:
    """As if time had passed since a start that was after PostgreSQL's own."""
    over = Func(function="clock_timestamp")
    Delivery.objects.filter(**filters or {"handler": SORT}).update(lease_until=over, lease_seconds=0)
