"""The six pieces as Dramatiq actors: `dramatiq -p 2 -t 8 benchmarks.plain.actors`."""

import django
import dramatiq
from django.conf import settings
from dramatiq.brokers.redis import RedisBroker

django.setup()

from benchmarks.plain import effects  # noqa: E402 - models can be imported from here on

dramatiq.set_broker(RedisBroker(url=settings.BROKER_URL))


@dramatiq.actor
def reserve(order_id: str) -> None:
    """Reserve, and go on to confirm."""
    effects.reserve(order_id, confirm.send)


@dramatiq.actor
def confirm(order_id: str) -> None:
    """Confirm, and go on to tell and to count."""
    effects.confirm(order_id, mail_confirmed.send, track_confirmed.send)


@dramatiq.actor
def mail_received(order_id: str) -> None:
    """Say that the order has come in."""
    effects.mail_received(order_id)


@dramatiq.actor
def mail_confirmed(order_id: str) -> None:
    """Say that the order will be delivered."""
    effects.mail_confirmed(order_id)


@dramatiq.actor
def track_pending(order_id: str) -> None:
    """Count what came in."""
    effects.track_pending(order_id)


@dramatiq.actor
def track_confirmed(order_id: str) -> None:
    """Count what was confirmed."""
    effects.track_confirmed(order_id)


FIRST = (reserve, mail_received, track_pending)
"""What follows from a new order at once."""
