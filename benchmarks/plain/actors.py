"""The six pieces as Dramatiq actors: `dramatiq -p 2 -t 8 benchmarks.plain.actors`."""

import django
import dramatiq
from django.conf import settings
from dramatiq.brokers.redis import RedisBroker

django.setup()

from benchmarks.plain import effects  # noqa: E402 - models can be imported from here on
from orders.states import Status  # noqa: E402

dramatiq.set_broker(RedisBroker(url=settings.BROKER_URL))


@dramatiq.actor
def reserve(order_id: str) -> None:
    effects.reserve(order_id, confirm.send)


@dramatiq.actor
def confirm(order_id: str) -> None:
    effects.confirm(order_id, mail_confirmed.send, track_confirmed.send)


@dramatiq.actor
def mail_received(order_id: str) -> None:
    effects.mail(order_id, "order_received")


@dramatiq.actor
def mail_confirmed(order_id: str) -> None:
    effects.mail(order_id, "order_confirmed")


@dramatiq.actor
def track_pending(order_id: str) -> None:
    effects.track(order_id, Status.PENDING)


@dramatiq.actor
def track_confirmed(order_id: str) -> None:
    effects.track(order_id, Status.CONFIRMED)


FIRST = (reserve, mail_received, track_pending)
"""What follows from a new order at once."""
