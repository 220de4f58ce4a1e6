"""Errors of the bus as the API answers them."""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import APIException

from events.letters import dead_letters


class NotDead(APIException):
    """The delivery is not, or no longer, a dead letter."""

    status_code = 409
    default_code = "not_dead"
    default_detail = str(dead_letters.NotDead())


@contextmanager
def as_answers() -> Iterator[None]:
    """Raise what the bus raises as what the API answers."""
    try:
        yield
    except dead_letters.NotDead as error:
        raise NotDead from error
