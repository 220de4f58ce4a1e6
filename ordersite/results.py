"""The results of Celery tasks, in the database."""

from typing import Any

from django_celery_results.backends.database import DatabaseBackend

from events.error_text import without_secrets


class ResultBackend(DatabaseBackend):  # type: ignore[misc]  # it has no types
    """Django's result backend, for any traceback.

    PostgreSQL takes no NUL in a text. The error that says so would be stored, and logged, in place of the task's own.
    """

    def _store_result(
        self, task_id: str, result: Any, status: str, traceback: str | None = None, **options: Any
    ) -> Any:
        text = without_secrets(traceback) if traceback else traceback
        return super()._store_result(task_id, result, status, traceback=text, **options)
