"""The life of an order as one table. The database holds the same one (a trigger), and a test compares them."""

from django.db import models


class Status(models.TextChoices):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FULFILLED = "fulfilled"


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.CONFIRMED, Status.REJECTED, Status.CANCELLED}),
    Status.CONFIRMED: frozenset({Status.FULFILLED, Status.CANCELLED}),
    Status.REJECTED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.FULFILLED: frozenset(),
}


def sources(to: Status) -> list[Status]:
    """Return the statuses from which an order may go to this one."""
    return [status for status, targets in TRANSITIONS.items() if to in targets]
