"""A mail asks a user service for who it is for, which is there, slow, dead, flapping, or refuses."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import grpc
import pytest

from events.errors import DependencyAway, Failure, PermanentError, classify
from events.tests.helpers import received
from events.tests.waiting import until
from eventtypes.users import UserCreatedV1
from local.settings import free_port
from notifications import tasks
from notifications.models import Notification
from notifications.people import LocalPeople, Person, people
from rpc import people as remote
from rpc.people import FAILURES, RemotePeople, breaker
from rpc.stubs.users_v1_pb2 import BatchGetUsersResponse, User
from rpc.stubs.users_v1_pb2_grpc import UserServiceServicer, add_UserServiceServicer_to_server
from rpc.tests.serving import TOKEN, Running
from testing.processes import COMPLETE, run_python
from users.models import User as Account

pytestmark = pytest.mark.django_db


class Scripted(UserServiceServicer):
    """A user service that answers as it is told, call by call: with a status, or in so many seconds."""

    def __init__(self, *script: grpc.StatusCode | float) -> None:
        self._script = list(script)
        self.asked: list[int] = []

    def BatchGetUsers(self, request: Any, context: Any) -> BatchGetUsersResponse:  # noqa: N802
        self.asked.append(len(request.user_ids))
        step = self._script.pop(0) if self._script else 0.0
        if isinstance(step, grpc.StatusCode):
            context.abort(step, "as it was told")
        else:
            threading.Event().wait(step)
        users = [User(id=user_id, email="ada@example.com", full_name="Ada") for user_id in request.user_ids]
        return BatchGetUsersResponse(users=users)

    def GetUser(self, request: Any, context: Any) -> User:  # noqa: N802
        raise NotImplementedError


@contextmanager
def service(answering: Scripted, port: int = 0) -> Iterator[int]:
    """Run this service until the block ends; the port."""
    server = grpc.server(ThreadPoolExecutor(2))
    add_UserServiceServicer_to_server(answering, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield port
    server.stop(0).wait()


@pytest.fixture
def asking(settings: Any) -> Iterator[Any]:
    """A switch to the user service at a port of this machine."""

    def switch(port: int, *, token: str = TOKEN, timeout: float = 5.0) -> RemotePeople:
        target = {"target": f"127.0.0.1:{port}", "token": token, "authorities": None, "timeout": timeout}
        settings.USERS_GRPC = target
        settings.PEOPLE = "rpc.people.RemotePeople"
        return RemotePeople()

    breaker.close()
    remote._stub.cache_clear()
    yield switch
    breaker.close()
    remote._stub.cache_clear()


@pytest.fixture
def port(server: Running) -> int:
    """Where our own service is."""
    return server.port


def away(asked: RemotePeople) -> str:
    """What is told of a service that cannot be asked: that the mail is to wait."""
    with pytest.raises(DependencyAway) as caught:
        asked.find([uuid4()])
    assert classify(caught.value) is Failure.AWAY
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_both_ways_tell_the_same(asking: Any, port: int, ada: Account) -> None:
    asked = [ada.id, uuid4()]
    person = Person(ada.id, "ada@example.com")
    assert asking(port).find(asked) == LocalPeople().find(asked) == {ada.id: person}
    assert isinstance(people(), RemotePeople)


def test_a_mail_goes_to_whom_the_service_names(asking: Any, port: int, ada: Account) -> None:
    asking(port)
    tasks.send_welcome(received(UserCreatedV1(user_id=ada.id)))
    assert Notification.objects.get(user_id=ada.id).recipient == "ada@example.com"
    nobody = received(UserCreatedV1(user_id=uuid4()))
    with pytest.raises(PermanentError, match="there is no account"):
        tasks.send_welcome(nobody)


def test_a_mail_waits_while_the_service_is_dead(asking: Any, port: int, ada: Account) -> None:
    asking(free_port())
    event = received(UserCreatedV1(user_id=ada.id))
    with pytest.raises(DependencyAway, match="UNAVAILABLE"):
        tasks.send_welcome(event)
    assert not Notification.objects.filter(event_id=event.id).exists()


def test_many_are_asked_for_in_few_calls(asking: Any) -> None:
    there = Scripted()
    with service(there) as port:
        assert len(asking(port).find([uuid4() for _ in range(1_001)])) == 1_001
        assert asking(port).find([]) == {}
    assert there.asked == [500, 500, 1]


def test_a_slow_service_is_given_up_at_the_deadline(asking: Any) -> None:
    with service(Scripted(5.0)) as port:
        began = time.monotonic()
        assert "DEADLINE_EXCEEDED" in away(asking(port, timeout=0.3))
        assert time.monotonic() - began < 1


def test_a_silent_service_is_given_up_at_the_deadline(asking: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        away(asking(silent.getsockname()[1], timeout=0.3))
        assert time.monotonic() - began < 1


def test_a_service_that_flaps_is_asked_again_within_the_call(asking: Any) -> None:
    flapping = Scripted(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
    with service(flapping) as port:
        assert len(asking(port).find([uuid4()])) == 1
    assert flapping.asked == [1, 1, 1]


def test_a_service_that_stays_away_is_asked_a_bounded_number_of_times(asking: Any) -> None:
    dead = Scripted(*[grpc.StatusCode.UNAVAILABLE] * 20)
    with service(dead) as port:
        away(asking(port))
    assert len(dead.asked) == 3


@pytest.mark.parametrize(
    "refusal", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED]
)
def test_a_service_that_refuses_is_not_asked_again_and_no_mail_is_lost(asking: Any, refusal: grpc.StatusCode) -> None:
    refusing = Scripted(refusal)
    with service(refusing) as port:
        assert refusal.name in away(asking(port))
    assert refusing.asked == [1]


def test_a_token_that_is_not_accepted_loses_no_mail(asking: Any, port: int) -> None:
    assert "UNAUTHENTICATED" in away(asking(port, token="old"))


def test_what_is_wrong_with_the_call_counts_as_an_attempt(asking: Any) -> None:
    with service(Scripted(grpc.StatusCode.INTERNAL)) as port, pytest.raises(grpc.RpcError) as caught:
        asking(port).find([uuid4()])
    assert classify(caught.value) is Failure.TRANSIENT
    assert breaker.fail_counter == 0


def test_after_some_failures_it_is_left_alone_then_tried_and_found_again(
    asking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "_reset_timeout", 0.5)
    port = free_port()
    asked = asking(port, timeout=2)
    for _ in range(FAILURES):
        assert "cannot be asked" in away(asked)
    began = time.monotonic()
    for _ in range(100):
        assert "left alone" in away(asked)
    assert time.monotonic() - began < 0.4
    with service(Scripted(), port):
        until("it is found again", lambda: finds(asked), seconds=10)
        assert breaker.current_state == "closed"


def finds(asked: RemotePeople) -> bool:
    try:
        return bool(asked.find([uuid4()]))
    except DependencyAway:
        return False


FORKS = """
import os, sys
import django
django.setup()
from uuid import UUID
from rpc.people import RemotePeople
asked = UUID(sys.argv[1])
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        found = [len(RemotePeople().find([asked])) for _ in range(2)]
        os._exit(0 if found == [1, 1] else 1)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_each_process_of_a_pool_has_a_connection_of_its_own(port: int, ada: Account) -> None:
    here = {"USERS_GRPC_TARGET": f"127.0.0.1:{port}", "USERS_GRPC_TOKEN": TOKEN, "USERS_GRPC_TIMEOUT": "20"}
    done = run_python("-c", FORKS, str(ada.id), **COMPLETE, **here, DJANGO_SETTINGS_MODULE="ordersite.settings")
    assert (done.returncode, done.stderr) == (0, "")
