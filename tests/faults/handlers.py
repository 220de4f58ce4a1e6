"""A handler that does to its worker what its event says."""

import contextlib
import os
import signal
import time
from uuid import UUID

from events.declare import effect
from events.errors import PermanentError
from events.handlers import ReceivedEvent
from events.types import EventData, register


@register
class OrderGivenV1(EventData):
    """The handler is told what to do: `nothing`, `linger`, `exit`, `kill`, `hang`, `fail` or `break`."""

    type = "faults.order_given.v1"
    id: UUID
    what: str

    @property
    def subject(self) -> UUID:
        return self.id


def hang() -> None:
    """Never return, whatever is raised in here: only a kill ends it."""
    while True:
        with contextlib.suppress(Exception):  # the soft time limit, which a good handler would not catch
            time.sleep(1)


def fail() -> None:
    """Fail in a way that may pass."""
    raise RuntimeError("failing as told")


def give_up() -> None:
    """Fail in a way that will not pass."""
    raise PermanentError("broken as told")


ACTIONS = {
    "nothing": lambda: None,
    "linger": lambda: time.sleep(1.5),  # within all limits, and long enough for others to die beside it
    "exit": lambda: os._exit(1),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": hang,
    "fail": fail,
    "break": give_up,
}


@effect("faults.obey", max_attempts=3)
def obey(event: ReceivedEvent[OrderGivenV1]) -> None:
    """Do what the event says."""
    ACTIONS[event.data.what]()
