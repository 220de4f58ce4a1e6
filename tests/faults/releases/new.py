"""The next release: it publishes version 2, still reads version 1, has a new handler, and lacks an old one."""

from uuid import UUID

from events.declare import effect
from events.handlers import ReceivedEvent
from events.types import EventData, register
from ordersite import subscriptions as site
from tests.faults.releases import common
from tests.faults.releases.common import ThingDoneV1


@register
class ThingDoneV2(EventData):
    """Something was done, told in other fields."""

    type = "releases.thing_done.v2"
    thing: UUID
    how: str

    @property
    def subject(self) -> UUID:
        return self.thing


@effect("releases.kept")
def kept(event: ReceivedEvent[ThingDoneV1 | ThingDoneV2]) -> None:
    common.note("kept", event)


@effect("releases.added")
def added(event: ReceivedEvent[ThingDoneV1 | ThingDoneV2]) -> None:
    common.note("added", event)


SUBSCRIPTIONS = {**site.SUBSCRIPTIONS, ThingDoneV1: [kept, added], ThingDoneV2: [kept, added]}
CONSUMERS = common.CONSUMERS
COMPENSATIONS = common.COMPENSATIONS


def happened(subject: UUID) -> EventData:
    """Return the event as this release publishes it."""
    return ThingDoneV2(thing=subject, how="well")
