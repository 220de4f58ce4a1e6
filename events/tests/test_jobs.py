"""What long handlers have beside them: a result that tells how far they are."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import current_app
from celery.exceptions import Ignore

from events import jobs
from events.declare import outside
from events.handlers import ReceivedEvent
from events.types import EventData


class JobAskedFor(EventData):
    type = "tests.job_asked_for.v1"
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


def job(event: ReceivedEvent[JobAskedFor]) -> None:
    """A job that somebody asks about."""


def test_outside_of_a_task_nobody_is_told() -> None:
    jobs.report_progress(50, report_id="x")


@pytest.mark.django_db
def test_a_copy_of_a_message_leaves_the_result_alone() -> None:
    for name, result in (("tests.asked_about", True), ("tests.not_asked_about", False)):
        outside(name, result=result)(job)
        task: Any = current_app.tasks[name]
        assert task.ignore_result is not result
        assert task.track_started is not result
    with pytest.raises(Ignore):
        current_app.tasks["tests.asked_about"].run(str(uuid4()), str(uuid4()))
    assert current_app.tasks["tests.not_asked_about"].run(str(uuid4()), str(uuid4())).startswith("stale")
