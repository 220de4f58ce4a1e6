"""Asks a user service for people over gRPC (notifications/people.py): soon answered, or soon given up."""

import json
import os
from collections.abc import Collection, Sequence
from functools import cache
from uuid import UUID

import grpc
from django.conf import settings
from pybreaker import CircuitBreaker, CircuitBreakerError

from events import tracing
from events.correlation import current
from events.errors import DependencyAway
from notifications.people import Person
from rpc.interceptors import REQUEST_ID
from rpc.services import MOST_USERS
from rpc.spans import TRACEPARENT, attributes
from rpc.stubs.users_v1_pb2 import BatchGetUsersRequest, User
from rpc.stubs.users_v1_pb2_grpc import UserServiceStub

# What says that no answer can be had, of this call or of any, and not that the call is wrong. A token that is refused
# is among them: that concerns every call, and making dead letters of all mails would mend nothing.
AWAY = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,  # the target is something else: that concerns every call too
}
# gRPC's own retries, with its jitter, all within the deadline of the call: of reads, which do nothing twice.
# https://grpc.io/docs/guides/retry/. A server that ends cancels the calls that it has not taken up.
RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": "ordersite.users.v1.UserService"}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ]
}
CHANNEL = {
    "grpc.service_config": json.dumps(RETRIES),
    "grpc.keepalive_time_ms": 30_000,  # while a call is under way: a silent network is an error, not a wait
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1_000,  # so long a connection may take to come about
    "grpc.max_reconnect_backoff_ms": 5_000,  # by itself two minutes: a service that is back would go unnoticed
}
METHOD = "ordersite.users.v1.UserService/BatchGetUsers"
FAILURES = 5
"""Answers in a row that cannot be had, after which none is asked for."""
REST = 10.0
"""Seconds for which none is asked for; then one call finds out."""


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that no answer can be had at the moment."""
    return isinstance(error, grpc.RpcError) and error.code() in AWAY


breaker = CircuitBreaker(
    FAILURES, REST, exclude=[lambda error: not is_away(error)], throw_new_error_on_trip=False, name="users"
)


class RemotePeople:
    """Asks the user service at USERS_GRPC_TARGET."""

    def find(self, user_ids: Collection[UUID]) -> dict[UUID, Person]:
        """Return these people by their ids. Raises DependencyAway."""
        asked = sorted(map(str, user_ids))
        chunks = [asked[start : start + MOST_USERS] for start in range(0, len(asked), MOST_USERS)]
        found = [user for chunk in chunks for user in self._ask(chunk)]
        return {UUID(user.id): Person(UUID(user.id), user.email) for user in found}

    def _ask(self, user_ids: Sequence[str]) -> Sequence[User]:
        with tracing.calling(METHOD, {**attributes(METHOD), **_server()}):
            try:
                return breaker.call(  # the stub's certificates may be unreadable
                    _stub(os.getpid()).BatchGetUsers,
                    BatchGetUsersRequest(user_ids=user_ids),
                    timeout=settings.USERS_GRPC["timeout"],
                    metadata=_metadata(),
                ).users
            except OSError as error:
                raise DependencyAway(f"USERS_GRPC_CA={error.filename} cannot be read: {error.strerror}") from error
            except CircuitBreakerError as error:
                raise DependencyAway(f"the user service failed {FAILURES} times in a row: it is left alone") from error
            except grpc.RpcError as error:
                if not is_away(error):
                    raise
                told = f"{error.code().name}: {error.details()}"
                raise DependencyAway(f"the user service cannot be asked: {told}") from error


def _metadata() -> tuple[tuple[str, str], ...]:
    """Return who asks, for what request, and in what trace."""
    known = {"authorization": f"Bearer {settings.USERS_GRPC['token']}"}
    known |= {REQUEST_ID: current(), TRACEPARENT: tracing.current()}
    return tuple((key, value) for key, value in known.items() if value)


def _server() -> dict[str, str | int]:
    """Return whom a span says was asked."""
    host, _, port = settings.USERS_GRPC["target"].rpartition(":")
    return {"server.address": host, "server.port": int(port)} if port.isdigit() else {"server.address": port}


@cache
def _stub(pid: int) -> UserServiceStub:
    """Return this process's own stub, on a connection that all its calls share.

    A connection does not outlive a fork: a child that went on with its parent's would wait for ever.
    """
    target, authorities = settings.USERS_GRPC["target"], settings.USERS_GRPC["authorities"]
    options = list(CHANNEL.items())
    if authorities is None:
        return UserServiceStub(grpc.insecure_channel(target, options))
    credentials = grpc.ssl_channel_credentials(authorities.read_bytes())
    return UserServiceStub(grpc.secure_channel(target, credentials, options))
