"""An event type that has got a second version beside the first, and the map of that release."""

from decimal import Decimal
from uuid import UUID

from events.handlers import ReceivedEvent
from events.subscriptions import Consumer
from events.tests import helpers
from events.tests.helpers import handler
from events.tests.parcels import AboutParcel, ParcelPackedV1
from events.types import register


@register
class ParcelPackedV2(AboutParcel):
    """A parcel is packed. Who sends it is the `owner` now, and what is in it is not told: who needs that asks."""

    type = "parcel.packed.v2"
    owner: UUID
    weight: Decimal


def as_v2(data: ParcelPackedV1 | ParcelPackedV2) -> ParcelPackedV2:
    """Read a version 1 as what it would have been as a version 2."""
    if isinstance(data, ParcelPackedV2):
        return data
    return ParcelPackedV2(parcel_id=data.parcel_id, owner=data.sender, weight=data.weight)


seen: list[tuple[str, ParcelPackedV2]] = []


def note(event: ReceivedEvent[ParcelPackedV1 | ParcelPackedV2]) -> None:
    seen.append((event.type, as_v2(event.data)))


SORT = handler(note, helpers.SORT)
ADDED = handler(note, "counting.added")

SUBSCRIPTIONS = {ParcelPackedV1: [SORT, ADDED], ParcelPackedV2: [SORT, ADDED]}
CONSUMERS = {"sorting": Consumer(dead_holds=True), "counting": Consumer(dead_holds=False)}
