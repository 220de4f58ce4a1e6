"""The six pieces as Celery tasks. Of this app by name: ordersite's, which our settings bring, is in the process too."""

from benchmarks.plain import effects
from benchmarks.plain.celery import app


@app.task
def reserve(order_id: str) -> None:
    """Reserve, and go on to confirm."""
    effects.reserve(order_id, confirm.delay)


@app.task
def confirm(order_id: str) -> None:
    """Confirm, and go on to tell and to count."""
    effects.confirm(order_id, mail_confirmed.delay, track_confirmed.delay)


@app.task
def mail_received(order_id: str) -> None:
    """Say that the order has come in."""
    effects.mail_received(order_id)


@app.task
def mail_confirmed(order_id: str) -> None:
    """Say that the order will be delivered."""
    effects.mail_confirmed(order_id)


@app.task
def track_pending(order_id: str) -> None:
    """Count what came in."""
    effects.track_pending(order_id)


@app.task
def track_confirmed(order_id: str) -> None:
    """Count what was confirmed."""
    effects.track_confirmed(order_id)


FIRST = (reserve, mail_received, track_pending)
"""What follows from a new order at once."""
