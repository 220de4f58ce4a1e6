"""What the tests do to a process: freeze it; to a worker: thaw its children alone, send it copies of a message."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

from events.tests.waiting import until
from tests.faults.system import FaultySystem


@contextmanager
def frozen(system: FaultySystem, name: str) -> Iterator[None]:
    """Freeze a process, with all its children, so that what is for it waits."""
    system.signal(name, SIGSTOP)
    try:
        yield
    finally:
        system.signal(name, SIGCONT)


def thaw_children(system: FaultySystem, worker: str) -> None:
    """Let a worker's children go on, and its main process, which would kill them for being late, not yet."""
    main = system.supervisor.pid(worker)
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    for pid in children:
        os.kill(int(pid), SIGCONT)


def copy_message(system: FaultySystem, order: Any, handler: str, *, copies: int) -> str:
    """Send copies of a message that is on its way; return the id of its delivery."""
    until("its message is sent", lambda: system.delivery(order, handler)[1] == "leased")
    delivery_id = system.delivery(order, handler)[0]
    token = system.row(delivery_id, "token::text")[0]
    with system.celery() as celery:
        for _ in range(copies):
            celery.send_task(handler, args=[delivery_id, token], task_id=delivery_id, queue=handler.partition(".")[0])
    return delivery_id


def told(system: FaultySystem, *words: str) -> int:
    """Return how many lines of the processes' log hold all these words, such as a delivery's id."""
    lines = (system.folder / "run.log").read_text().splitlines()
    return sum(all(word in line for word in words) for line in lines)


def failed_attempts(system: FaultySystem, order: Any) -> Sequence[tuple[str, str]]:
    """Return handler and error of each failed attempt for an order."""
    return system.sql(
        "SELECT d.handler, a.error_type FROM events_failedattempt a JOIN events_delivery d ON d.id = a.delivery_id"
        " WHERE d.subject = %s ORDER BY d.handler, a.id",
        order["id"],
    )
