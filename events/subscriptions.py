"""Reads the map from events to handlers, which the deployment declares (settings.EVENTS["SUBSCRIPTIONS"])."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from itertools import chain
from uuid import UUID

from events.conf import setting
from events.handlers import Handler
from events.types import EventData, registered

Compensation = Callable[[UUID], None]  # takes the subject of the event


@dataclass(frozen=True)
class Consumer:
    """What holds for all handlers of one app.

    `dead_holds`: whether a dead letter holds back the later deliveries of its subject. Where it does not, handlers
    must commute, since a replay then comes late. `in_flight`: how many deliveries may be out with workers at once, four
    claims where it is not said (events/relaying/batching.py); times the time that one takes, it must stay well under
    the lease. `linger`: seconds for which deliveries may gather to share a message, after one that went at once;
    longer where many come (events/relaying/pacing.py).
    """

    dead_holds: bool
    in_flight: int | None = None
    linger: float = 0.0


def dead_letter_queue(consumer: str) -> str:
    """Return the name under which operators know a consumer's dead letters."""
    return f"{consumer}.dlq"


@dataclass(frozen=True)
class Milestones:
    """The events that the operations page counts, by what it calls them, in a chart of this name, title and unit."""

    name: str = "milestones"
    title: str = "Milestones"
    unit: str = "events"
    types: Mapping[str, type[EventData]] = field(default_factory=dict)


@dataclass(frozen=True)
class Map:
    """The whole map: who handles what, what is done in place of a step that is given up, what events are about, and the
    events that the operations page counts, by what it calls them.
    """

    subscriptions: Mapping[type[EventData], Sequence[Handler]]
    consumers: Mapping[str, Consumer]
    compensations: Mapping[Handler, Compensation]
    subject_pages: Mapping[str, str]
    milestones: Milestones

    def handlers(self, kind: type[EventData]) -> Sequence[Handler]:
        """Return the handlers of an event type, in no particular order."""
        return self.subscriptions.get(kind, ())

    @cached_property
    def largest_batches(self) -> Mapping[str, int]:
        """How many deliveries of one handler may share a message, at most, by consumer."""
        found: dict[str, int] = defaultdict(int)
        for handler in chain.from_iterable(self.subscriptions.values()):
            found[handler.consumer] = max(found[handler.consumer], handler.policy.batch)
        return found

    def handler_names(self) -> set[str]:
        """Return the names of all handlers that are subscribed to something."""
        return {handler.name for handlers in self.subscriptions.values() for handler in handlers}

    def compensation(self, handler_name: str) -> Compensation | None:
        """Return what must be done when a dead delivery of this handler is discarded, None for nothing."""
        return next((c for h, c in self.compensations.items() if h.name == handler_name), None)

    def subject_page(self, event_type: str) -> str | None:
        """Return the name of the admin's page of what events of this type are about, None where there is none."""
        return self.subject_pages.get(event_type.split(".", maxsplit=1)[0])


def known_types() -> set[str]:
    """Return the names of all event types: reading the map is what imports them."""
    the_map()
    return registered()


@cache
def the_map() -> Map:
    """Return the deployment's map. It is read at the first use, since the handlers' modules publish events too."""
    module = import_module(setting("SUBSCRIPTIONS"))
    return Map(
        module.SUBSCRIPTIONS,
        module.CONSUMERS,
        getattr(module, "COMPENSATIONS", {}),
        getattr(module, "SUBJECT_PAGES", {}),
        getattr(module, "MILESTONES", Milestones()),
    )
