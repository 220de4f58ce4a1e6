import pytest
from celery import current_app
from celery.app.task import Context
from django_celery_results.models import TaskResult

pytestmark = pytest.mark.django_db


def fail(error: Exception, traceback: str) -> TaskResult:
    """Store the failure of a task, as a worker does."""
    request = Context(task="some.task", hostname="worker@here")
    current_app.backend.mark_as_failure("t-1", error, traceback=traceback, request=request)
    return TaskResult.objects.get()


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"], ids=["NUL", "half of a surrogate pair"])
def test_an_error_with_a_text_that_postgresql_refuses_is_stored_as_itself(text: str) -> None:
    stored = fail(LookupError(text), f"Traceback: LookupError: {text}")
    assert stored.status == "FAILURE"
    assert stored.traceback.startswith("Traceback: LookupError: a")
    assert isinstance(current_app.backend.get_result("t-1"), LookupError)


def test_a_traceback_tells_no_secret() -> None:
    assert "abcdefgh" not in fail(LookupError("x"), "GET /?token=abcdefgh").traceback
