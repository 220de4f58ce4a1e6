"""Events as a shell shows them."""

import json
from collections.abc import Iterator

from events.models import Delivery, Event


def line(event: Event) -> str:
    """Return an event on one line."""
    told = f"{event.id}  {event.time:%Y-%m-%d %H:%M:%S}  {event.type:<20}  {event.subject} {event.sequence:>3}"
    return f"{told}  {event.correlation_id or '-'}"


def page(event: Event) -> Iterator[str]:
    """Return all that is known of an event, line by line."""
    facts = {
        "id": event.id,
        "type": event.type,
        "time": event.time.isoformat(),
        "subject": event.subject,
        "sequence": event.sequence,
        "request id": event.correlation_id or "-",
        "traceparent": event.traceparent or "-",
        "schema": event.dataschema,
        "data": json.dumps(event.data, indent=2),
    }
    yield from (f"{name}: {value}" for name, value in facts.items())
    deliveries = event.deliveries.order_by("handler")
    yield from (_delivery(delivery) for delivery in deliveries)
    if not deliveries:
        yield "no deliveries: nobody handles it, or they are purged"


def _delivery(delivery: Delivery) -> str:
    handled = f", {delivery.handled_at:%Y-%m-%d %H:%M:%S}" if delivery.handled_at else ""
    error = f": {delivery.last_error[0]}" if delivery.last_error[0] else ""
    return f"{delivery.handler}  {delivery.state}  attempts {delivery.attempts}{handled}  {delivery.id}{error}"
