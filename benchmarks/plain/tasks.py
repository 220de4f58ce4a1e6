"""The six pieces as Celery tasks. Of this app by name: ordersite's, which our settings bring, is in the process too."""

from benchmarks.plain import effects
from benchmarks.plain.celery import app
from orders.states import Status


@app.task
def reserve(order_id: str) -> None:
    effects.reserve(order_id, confirm.delay)


@app.task
def confirm(order_id: str) -> None:
    effects.confirm(order_id, mail_confirmed.delay, track_confirmed.delay)


@app.task
def mail_received(order_id: str) -> None:
    effects.mail(order_id, "order_received")


@app.task
def mail_confirmed(order_id: str) -> None:
    effects.mail(order_id, "order_confirmed")


@app.task
def track_pending(order_id: str) -> None:
    effects.track(order_id, Status.PENDING)


@app.task
def track_confirmed(order_id: str) -> None:
    effects.track(order_id, Status.CONFIRMED)


FIRST = (reserve, mail_received, track_pending)
"""What follows from a new order at once."""
