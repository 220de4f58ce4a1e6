"""What the bus's tests share. They play the relay's and the worker's parts by hand, on the real database."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from events import floors
from events.errors import PermanentError
from events.handlers import Handler, Shape
from events.handling import deliveries, runner
from events.handling.deliveries import Started
from events.models import Delivery
from events.policy import Policy
from events.publishing import publish
from events.relaying import claims
from events.types import EventData
from eventtypes.orders import Line, OrderCancelledV1, OrderCreatedV1

LINE = Line(sku="A", name="An A", quantity=1, unit_price="2.00", line_total="2.00")  # type: ignore[arg-type]


def order_data(order_id: UUID) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "number": "O-1",
        "user_id": uuid4(),
        "currency": "EUR",
        "total": "2.00",
        "items": (LINE,),
    }


def order_created(order_id: UUID | None = None) -> OrderCreatedV1:
    return OrderCreatedV1(**order_data(order_id or uuid4()))


def order_cancelled(order_id: UUID) -> OrderCancelledV1:
    return OrderCancelledV1(**order_data(order_id), reason="customer")


def published(*events: EventData) -> list[UUID]:
    with transaction.atomic():
        return publish(*events)


def handler(
    function: Callable[[Any], Any],
    name: str = "inventory.reserve_items",
    shape: Shape = Shape.EFFECT,
    *,
    many: bool = False,
    **policy: Any,
) -> Handler:
    """A handler of an existing name with other code, as a new release would bring."""
    return Handler(name, function, shape, Policy(**policy), many)


def nothing(event: Any) -> None:
    """A handler that succeeds."""


def claimed(queue: str = "inventory") -> tuple[UUID, UUID]:
    """Claim the one delivery that is due; return its id and token, as a message would carry them."""
    claim = claims.claim(queue, 1)
    assert claim is not None, f"nothing is due in {queue}"
    return claim.deliveries[0].id, claim.deliveries[0].token


def run(the_handler: Handler, queue: str = "inventory") -> str:
    """Claim the one delivery that is due and run it with this handler."""
    delivery_id, token = claimed(queue)
    return runner.run(the_handler, {delivery_id: token}, worker="test")


def start_one(delivery_id: UUID, token: UUID, *, worker: str, lease: int) -> Started | None:
    """Start the delivery of a message that tells of it alone."""
    return next(iter(deliveries.start({delivery_id: token}, worker=worker, lease=lease)), None)


def break_down(event: Any) -> None:
    """A handler that fails for good."""
    raise PermanentError("bad data")


def a_dead_letter(name: str = "notifications.send_order_received", order_id: UUID | None = None) -> UUID:
    """Publish an order and let the delivery to this handler die; return its id."""
    (event_id,) = published(order_created(order_id))
    make_due(handler=name, event_id=event_id)  # before those of other orders
    with pytest.raises(PermanentError):
        run(handler(break_down, name=name), name.split(".", maxsplit=1)[0])
    return only(handler=name, event_id=event_id, state="dead").id


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


def waiting_for_locks() -> int:
    """Return how many of our connections wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        row = cursor.fetchone()
    return int(row[0])
