"""The release before: it knows version 1 only, and has a handler that the next one lacks."""

from uuid import UUID

from events.declare import effect
from events.handlers import ReceivedEvent
from events.types import EventData
from ordersite import subscriptions as site
from tests.faults.releases import common
from tests.faults.releases.common import ThingDoneV1


@effect("releases.kept")
def kept(event: ReceivedEvent[ThingDoneV1]) -> None:
    common.note("kept", event)


@effect("releases.removed")
def removed(event: ReceivedEvent[ThingDoneV1]) -> None:
    common.note("removed", event)


SUBSCRIPTIONS = {**site.SUBSCRIPTIONS, ThingDoneV1: [kept, removed]}
CONSUMERS = common.CONSUMERS
COMPENSATIONS = common.COMPENSATIONS


def happened(subject: UUID) -> EventData:
    """Return the event as this release publishes it."""
    return ThingDoneV1(id=subject)
