"""What a long handler does between two of its steps: tell how far it is, and stop where its worker is ending.

for done, chunk in enumerate(chunks):
    give_way()
    write(chunk)
    report_progress(100 * done // len(chunks), report_id=str(report_id))
"""

import mmap
from typing import Any

from events import flower
from events.errors import DependencyAway

# A byte that a worker's main process shares with its pool processes, which are forked from it: it is told to end, and
# they are not.
_ending = mmap.mmap(-1, 1)


class WorkerEnding(DependencyAway):
    """The worker is told to end. The delivery goes to another one, or to the next, and no attempt is counted."""


def worker_is_ending(**_: Any) -> None:
    """Note that the worker is told to end (Celery's signal worker_shutting_down, in its main process)."""
    _ending[0] = 1


def give_way() -> None:
    """Do nothing, unless the worker is told to end: then raise WorkerEnding.

    A worker that ends waits for its handlers, and a deployment would else wait for the longest of them.
    """
    if _ending[0]:
        raise WorkerEnding("the worker is ending; this goes on elsewhere")


def report_progress(progress: int, **facts: Any) -> None:
    """Show how far the job is, in percent, and what else is known of it (JSON), in the task's result.

    For handlers that are declared with `result=True`: django-celery-results has it while the job runs, and keeps what
    was told last in `meta` when it has ended. Outside of a task, as in tests, nobody is told.
    """
    flower.show_progress({**facts, "progress": progress})
