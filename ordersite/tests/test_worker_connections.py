"""Workers keep their connection to PostgreSQL from task to task, and never use one that died."""

import contextlib
from uuid import uuid4

import pytest
from celery.app.trace import build_tracer
from celery.signals import task_prerun
from django.db import connection, connections
from django.db.utils import OperationalError
from django_celery_results.models import TaskResult

from events.tests.servers import backend, read_only_database
from inventory.tasks import check_stock
from ordersite.celery import app


def end_it() -> None:
    """Have PostgreSQL end this thread's connection, as its restart does."""
    with contextlib.suppress(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.django_db(transaction=True)
def test_a_task_after_a_restart_of_postgresql_finds_a_connection_that_lives() -> None:
    before = backend()
    vars(connections["default"])["health_check_done"] = True  # as it is in the middle of a worker's life
    end_it()
    task_prerun.send(sender=check_stock)
    assert check_stock() == "the books agree"
    assert backend() != before


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_lives_is_kept_for_the_next_task() -> None:
    before = backend()
    task_prerun.send(sender=check_stock)
    assert backend() == before


def test_celery_does_not_end_the_connection_after_each_task() -> None:
    assert app.conf.get("CELERY_DB_REUSE_MAX") == 10_000  # the name that its fixup asks for


@pytest.mark.django_db(transaction=True)
def test_a_task_runs_although_its_result_cannot_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    task = app.tasks[check_stock.name]  # of our app: other tests have made others
    trace = build_tracer(task.name, task, app=app)
    with read_only_database():
        done = trace(str(uuid4()), [], {}, {"is_eager": False})
    assert (done.retval, done.info) == ("the books agree", None)
    assert [text for text in caplog.messages if "could not be stored: InternalError: " in text]
    assert not any(record.exc_info for record in caplog.records)
    assert not TaskResult.objects.exists()
