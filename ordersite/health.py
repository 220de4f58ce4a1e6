"""Health for load balancers and supervisors: a plain function that any thread may call, and the views.

Whatever hangs, an answer comes within 2.5 s. The database is asked on a connection made for that, so the answer says
what a new connection meets, and depends on no thread that serves requests.
"""

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.errors import in_one_line, sqlstate
from events.operations.availability import WAIT, SharedLook, begin_broker_look, broker_refusal, left, why_no_writes
from events.sql import fetch
from events.statistics import progress
from ordersite.environment import file
from rest.problems import RETRY_AFTER, as_response, may_pass, problem_body, why_away

logger = logging.getLogger(__name__)

STATEMENT_TIMEOUT = 2_000  # milliseconds
MISSING = ("42P01", "42703")  # SQLSTATE of a table, and of a column, that a migration is to bring yet
NOT_MIGRATED = "The database lacks tables of this release. Run manage.py migrate."
NO_ANSWER = "The database does not answer within 2 s."
SHUTTING_DOWN = "This server is about to end. Requests that it still gets are served."
_LEAVING = file("WEB_LEAVING_FILE")

Answer = tuple[int, dict[str, object]]
"""An HTTP status, and the body: a problem (RFC 9457) unless the status is 200."""


class LiveSerializer(serializers.Serializer[Any]):
    """How the process is."""

    status = serializers.ChoiceField(choices=["ok"])


class ReadySerializer(LiveSerializer):
    """How what the process needs is."""

    database = serializers.ChoiceField(choices=["ok"])
    broker = serializers.ChoiceField(
        choices=["ok", "down"],
        help_text="`down` where it takes no messages. The site is ready all the same: orders are taken without it.",
    )
    deliveries = serializers.ChoiceField(
        choices=["ok", "stuck"], help_text="`stuck`: some could run, and have waited for too long."
    )
    oldest_due_seconds = serializers.IntegerField(
        min_value=0, help_text="For how long the first delivery that could run has waited."
    )


class DatabaseLook:
    """Asks the database on a connection of its own, which another thread can cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def __call__(self) -> tuple[str, float]:
        """Return why it takes no writes ("" where it does), and how many seconds the oldest delivery has been due.

        Raises DatabaseError.
        """
        try:
            connection.ensure_connection()
            with self._lock:
                self._connection = connection.connection
            with transaction.atomic():
                fetch("SELECT set_config('statement_timeout', %(timeout)s, true)", {"timeout": str(STATEMENT_TIMEOUT)})
                return why_no_writes(), max(progress.oldest_due().values(), default=0.0)
        finally:
            with self._lock:
                self._connection = None
                connection.close()

    def cut(self) -> None:
        """End a look that waits for a server which says nothing: the next one connects anew, perhaps to another."""
        with self._lock:
            if self._connection is not None:
                with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as peer:
                    peer.shutdown(socket.SHUT_RDWR)


_look_at_database = DatabaseLook()
_database = SharedLook(_look_at_database)


def readiness() -> Answer:
    """Return whether requests can be served: 200 where the database takes writes, within 2.5 s whatever hangs.

    A broker that is away does not matter for that, nor do deliveries that do not move: orders are taken.
    """
    if is_leaving():
        return 503, problem_body(503, "shutting_down", SHUTTING_DOWN)
    until = time.monotonic() + WAIT
    database, _ = _database.begin(), begin_broker_look()
    try:
        no_writes, oldest = database.result(left(until))
    except TimeoutError:
        _look_at_database.cut()
        return _not_ready(NO_ANSWER)
    except DatabaseError as error:
        return _failed(error)
    if no_writes:
        return _not_ready(no_writes)
    return 200, {
        "status": "ok",
        "database": "ok",
        "broker": "down" if broker_refusal(left(until)) else "ok",
        "deliveries": "stuck" if progress.is_stuck(oldest) else "ok",
        "oldest_due_seconds": int(oldest),
    }


def is_leaving() -> bool:
    """Tell whether the web server of this process has been told to end (web/server.py)."""
    return _LEAVING is not None and _LEAVING.exists()


def _failed(error: DatabaseError) -> Answer:
    if sqlstate(error) in MISSING:
        return _not_ready(NOT_MIGRATED)
    if may_pass(error):
        return _not_ready(why_away(error), error)
    logger.error("whether the database takes writes could not be found out", exc_info=error)
    return _not_ready(why_away(error))


def _not_ready(why: str, error: DatabaseError | None = None) -> Answer:
    logger.warning("not ready: %s", why if error is None else f"{why} {in_one_line(error)}")
    return 503, problem_body(503, "database_unavailable", why)


class _HealthView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()


class LiveView(_HealthView):
    """GET /health/live."""

    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})  # nobody is asked


class ReadyView(_HealthView):
    """GET /health/ready."""

    def get(self, request: Request) -> Response | HttpResponse:
        status, body = readiness()
        return Response(body) if status == 200 else as_response(body, {"Retry-After": str(RETRY_AFTER)})
