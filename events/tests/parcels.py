"""What the bus's own tests tell of: parcels; and the map of who handles it (conftest.py)."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from celery import shared_task

from events.declare import effect, outside
from events.handlers import ReceivedEvent
from events.policy import Backoff
from events.subscriptions import Consumer
from events.tests.helpers import ANNOUNCE, SORT, dead_letter
from events.types import EventData, Part, register

Received = ReceivedEvent[Any]
PATIENT = Backoff(first=15.0, longest=1_800.0)  # seconds: longer than the others wait


class Thing(Part):
    """Something that is in a parcel."""

    name: str
    count: int
    weight: Decimal


class AboutParcel(EventData):
    parcel_id: UUID

    @property
    def subject(self) -> UUID:
        return self.parcel_id


class ParcelData(AboutParcel):
    """The whole parcel."""

    number: str
    sender: UUID
    weight: Decimal
    things: tuple[Thing, ...]


@register
class ParcelPackedV1(ParcelData):
    type = "parcel.packed.v1"


@register
class ParcelLostV1(ParcelData):
    type = "parcel.lost.v1"
    reason: str


@register
class ParcelSortedV1(AboutParcel):
    type = "parcel.sorted.v1"


@register
class ParcelOpenedV1(AboutParcel):
    type = "parcel.opened.v1"


def parcel_packed(parcel_id: UUID | None = None) -> ParcelPackedV1:
    return ParcelPackedV1(**_parcel(parcel_id or uuid4()))


def parcel_lost(parcel_id: UUID) -> ParcelLostV1:
    return ParcelLostV1(**_parcel(parcel_id), reason="water")


def _parcel(parcel_id: UUID) -> dict[str, Any]:
    cup = Thing(name="A cup", count=1, weight=Decimal("2.00"))
    return {"parcel_id": parcel_id, "number": "P-1", "sender": uuid4(), "weight": cup.weight, "things": (cup,)}


def a_dead_letter(name: str = ANNOUNCE, parcel_id: UUID | None = None) -> UUID:
    """Publish that a parcel is packed and let the delivery to this handler die; return its id."""
    return dead_letter(name, parcel_packed(parcel_id))


@effect(SORT, many=True)
def sort_parcel(events: Sequence[Received]) -> None:
    """Sort the parcels."""


@effect("sorting.take_out", many=True)
def take_out(events: Sequence[Received]) -> None:
    """Take the parcels out of the racks."""


@effect("delivery.deliver", many=True)
def deliver(events: Sequence[Received]) -> None:
    """Deliver the parcels."""


@outside(ANNOUNCE, many=True, backoff=PATIENT)
def announce(events: Sequence[Received]) -> Iterator[Received]:
    """Write that the parcels come."""
    yield from events


@outside("letters.apologise", many=True, backoff=PATIENT)
def apologise(events: Sequence[Received]) -> Iterator[Received]:
    """Write that the parcels will not come."""
    yield from events


@effect("counting.count", many=True)
def count(events: Sequence[Received]) -> None:
    """Count the parcels."""


@outside("customs.inspect")
def inspect(event: Received) -> None:
    """Look into the parcel, which takes long."""


@shared_task(name="vans.count")
def count_vans() -> None:
    """A plain task, which takes no arguments."""


def send_back(parcel_id: UUID) -> None:
    """Send the parcel back.

    It will not be sorted.
    """


SUBSCRIPTIONS = {
    ParcelPackedV1: [sort_parcel, announce, count],
    ParcelLostV1: [take_out, apologise, count],
    ParcelSortedV1: [deliver],
    ParcelOpenedV1: [inspect],
}
CONSUMERS = {
    "sorting": Consumer(dead_holds=True),
    "delivery": Consumer(dead_holds=True),
    "letters": Consumer(dead_holds=False),
    "counting": Consumer(dead_holds=False),
    "customs": Consumer(dead_holds=False, in_flight=2),
}
COMPENSATIONS = {sort_parcel: send_back}
