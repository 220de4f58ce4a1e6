"""Health for load balancers and supervisors."""

from typing import Any

import redis
from django.db import ProgrammingError
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events import progress
from events.errors import sqlstate
from ordersite.api.problems import RETRY_AFTER
from ordersite.broker import connect

BROKER_TIMEOUT = 1.0  # seconds to connect, and to answer: a frozen broker is told within 2.5 s


class LiveSerializer(serializers.Serializer[Any]):
    """How the process is."""

    status = serializers.ChoiceField(choices=["ok"])


class ReadySerializer(LiveSerializer):
    """How what the process needs is."""

    database = serializers.ChoiceField(choices=["ok"])
    broker = serializers.ChoiceField(choices=["ok", "down"])
    deliveries = serializers.ChoiceField(choices=["ok", "stuck"])
    oldest_due_seconds = serializers.IntegerField(min_value=0)


MISSING = ("42P01", "42703")  # SQLSTATE of a table, and of a column, that a migration is to bring yet


class NotMigrated(APIException):
    """The database answers, and has not the tables of this release."""

    status_code = 503
    default_code = "database_unavailable"
    default_detail = "The database lacks tables of this release. Run manage.py migrate."
    wait = RETRY_AFTER


class _HealthView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()


class LiveView(_HealthView):
    """GET /health/live."""

    def get(self, request: Request) -> Response:
        """Say that the process answers."""
        return Response(LiveSerializer({"status": "ok"}).data)


class ReadyView(_HealthView):
    """GET /health/ready."""

    def get(self, request: Request) -> Response:
        """Say whether requests can be served.

        A broker that is away does not matter for that, nor do deliveries that do not move: orders are taken.
        """
        try:
            oldest = max(progress.oldest_due().values(), default=0.0)
        except ProgrammingError as error:
            if sqlstate(error) in MISSING:
                raise NotMigrated from error
            raise
        state = {
            "status": "ok",
            "database": "ok",
            "broker": "ok" if broker_answers() else "down",
            "deliveries": "stuck" if progress.is_stuck(oldest) else "ok",
            "oldest_due_seconds": int(oldest),
        }
        return Response(ReadySerializer(state).data)


def broker_answers() -> bool:
    """Tell whether the broker answers a ping in time."""
    try:
        with connect(BROKER_TIMEOUT) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
