"""What Celery is told of deliveries, and so what Flower and a stored result show of them. Nothing else depends on it.

A delivery that goes alone is a task under the delivery's own id, through all of its attempts: RETRY while it will be
sent again, SUCCESS once it is done, FAILURE with the handler's exception where it is a dead letter. Several that share
a message are a task of its own, which ends in SUCCESS and says how many were done; the others go on alone.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from celery import current_app
from celery.exceptions import Ignore, Retry

PROGRESS = "PROGRESS"  # the state of a task that tells of its progress: no state of Celery's own, as its manual has it
STALE = "stale: already started, or moved on"
SUPERSEDED = "superseded: the lease ran out, and another worker has the delivery"


def task_options(*, result: bool) -> dict[str, Any]:
    """Return the options of a handler's task. Its result is not stored, unless it is to be.

    Then not even STARTED is written by Celery: it would be, for a copy of a message, before our code knows of the copy.
    """
    return {"track_started": False} if result else {"ignore_result": True}


def message_options(deliveries: Sequence[UUID], *, tries: int) -> dict[str, Any]:
    """Return the task's id for a message of these deliveries, and how often it ran before."""
    return {"task_id": str(deliveries[0] if len(deliveries) == 1 else uuid4()), "retries": tries}


def end(told: str, *, result: bool) -> str:
    """Return what the task ends with. Raises Ignore where a stored result is to stay as it is: it is another copy's."""
    if result and told in (STALE, SUPERSEDED):
        raise Ignore(told)
    return told


def done(attempt: int) -> str:
    """Return the end of a task whose delivery is done."""
    return f"done at attempt {attempt}"


def several_done(done: int, number: int, to_run_alone: int) -> str:
    """Return the end of a task of several deliveries."""
    return f"{done} of {number} done" + (f", {to_run_alone} go on one by one" if to_run_alone else "")


def again(error: Exception, seconds: float) -> Retry:
    """Return what to raise where the delivery is sent again in so many seconds. Nothing is published by it."""
    return Retry(exc=error, when=round(seconds, 3))  # type: ignore[arg-type]  # it takes any number


def later(what: str, error: Exception) -> Retry:
    """Return what to raise where leases bring the deliveries back: what could not be done, and why."""
    return Retry(what, exc=error)


def show_progress(facts: dict[str, Any]) -> None:
    """Show these facts in the result of the task at hand, if there is one."""
    task: Any = current_app.current_task
    if task is not None:
        task.request.meta = facts
        task.update_state(state=PROGRESS, meta=facts)
