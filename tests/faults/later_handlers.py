"""What the later release has: a version of the order, and a handler that obeys it."""

from events.declare import effect
from events.handlers import ReceivedEvent
from events.types import register
from tests.faults.handlers import ACTIONS, OrderGivenV1


@register
class OrderGivenV2(OrderGivenV1):
    """An order that says more."""

    type = "faults.order_given.v2"


@effect("faults.obey_better", max_attempts=3)
def obey_better(event: ReceivedEvent[OrderGivenV1]) -> None:
    """Do what the event says."""
    ACTIONS[event.data.what]()
