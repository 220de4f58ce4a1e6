"""Where the results of tasks are kept (CELERY_RESULT_BACKEND)."""

import logging
from typing import Any

from django.db import Error as DatabaseError
from django_celery_results.backends.database import DatabaseBackend

from events.error_text import without_secrets
from events.errors import in_one_line, is_database_away

logger = logging.getLogger(__name__)


class ResultBackend(DatabaseBackend):  # type: ignore[misc] # it has no types
    """django-celery-results' own, for any traceback, and for a database that takes no result at the moment.

    PostgreSQL takes no NUL in a text: the error that says so would be stored in place of the task's own. And Celery
    would drop a task where its start cannot be stored, and write three tracebacks for each.
    """

    def _store_result(
        self, task_id: str, result: Any, status: str, traceback: str | None = None, **options: Any
    ) -> Any:
        text = without_secrets(traceback) if traceback else traceback
        try:
            return super()._store_result(task_id, result, status, traceback=text, **options)
        except DatabaseError as error:
            if not is_database_away(error):
                raise
            logger.warning("task %s is %s, which could not be stored: %s", task_id, status, in_one_line(error))
            return result
