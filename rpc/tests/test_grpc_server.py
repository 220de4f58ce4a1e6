"""How the server starts, what it refuses to do, and how it ends."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import grpc
import pytest
from django.core.management import CommandError, call_command
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from events.tests.waiting import until
from rpc import server as server_module
from rpc.lookups import Lookups
from rpc.server import SERVICES, CannotServe
from rpc.stubs.users_v1_pb2 import BatchGetUsersRequest, GetUserRequest
from rpc.tests.serving import (
    TOKEN,
    WITH_ALL,
    Client,
    Health,
    Lock,
    Running,
    client_of,
    emptied,
    options,
    queries,
    serving,
)
from testing.processes import COMPLETE, load, run_python

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with emptied(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "grpc.crt", folder / "grpc.key"
    try:
        load("deploy/docker/make_secrets.py").make_certificate(*files)
    except FileNotFoundError:
        pytest.skip("openssl is not on the PATH")
    return files


def start(**more: Any) -> None:
    Running(options(**more)).stop()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "grpc.example.com"])
def test_beyond_loopback_it_wants_tls(address: str) -> None:
    with pytest.raises(CannotServe, match=r"beyond loopback.*GRPC_TLS_CERTIFICATE"):
        start(address=address)


def test_without_a_token_nobody_could_call() -> None:
    with pytest.raises(CannotServe, match="GRPC_SERVICE_TOKENS is not set"):
        start(tokens=())


def test_half_of_tls_is_none(certificate: tuple[Path, Path]) -> None:
    for half in ({"certificate": certificate[0]}, {"key": certificate[1]}):
        with pytest.raises(CannotServe, match="belong together"):
            start(**half)


def test_a_certificate_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match=r"nothing\.key cannot be read: No such file"):
        start(certificate=tmp_path / "nothing.crt", key=tmp_path / "nothing.key")


def test_what_is_no_certificate_is_told(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    (nothing := tmp_path / "nothing.crt").write_text("nothing")
    for pair in ((nothing, certificate[1]), (certificate[0], certificate[0])):
        with pytest.raises(CannotServe, match="are to be PEM files of a certificate and of its own key"):
            start(certificate=pair[0], key=pair[1])


def test_a_taken_port_is_told_with_its_variable(database: None) -> None:
    with serving() as server, pytest.raises(CannotServe, match=rf"127\.0\.0\.1:{server.port} cannot.*GRPC_PORT"):
        start(port=server.port)


def test_the_command_says_what_is_missing(settings: Any) -> None:
    settings.GRPC = settings.GRPC | {"tokens": ()}
    with pytest.raises(CommandError, match="GRPC_SERVICE_TOKENS is not set: nobody could call"):
        call_command("grpc", "--port", "1")


def test_a_taken_port_of_metrics_is_told_with_its_variable(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.GRPC_METRICS_PORT = taken.getsockname()[1]
        with pytest.raises(CommandError, match=r"metrics \(Address already in use\).*GRPC_METRICS_PORT"):
            call_command("grpc", "--port", "1")


def test_over_tls_who_believes_the_certificate_is_answered(
    database: None, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(address="0.0.0.0", certificate=certificate[0], key=certificate[1]) as server:
        believed = grpc.ssl_channel_credentials(certificate[0].read_bytes())
        with grpc.secure_channel(f"localhost:{server.port}", believed) as channel:
            Client(channel).users.BatchGetUsers(BatchGetUsersRequest(), **WITH_ALL)
        with client_of(server.port) as plain, pytest.raises(grpc.RpcError):
            plain.users.BatchGetUsers(BatchGetUsersRequest(), **WITH_ALL)
        monkeypatch.setenv("GRPC_PORT", str(server.port))
        monkeypatch.setenv("GRPC_TLS_CERTIFICATE", str(certificate[0]))
        monkeypatch.setenv("GRPC_SERVICE_TOKENS", f"{TOKEN}, another")
        assert load("deploy/healthy.py").CHECKS["grpc"]()


def test_the_health_check_finds_a_server_and_misses_one(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_SERVICE_TOKENS", TOKEN)
    with serving() as server:
        monkeypatch.setenv("GRPC_PORT", str(server.port))
        assert load("deploy/healthy.py").main("grpc") == 0
    assert load("deploy/healthy.py").main("grpc") == 1


def test_each_service_tells_its_health(database: None) -> None:
    with serving() as server, client_of(server.port) as client:
        health = Health(client.channel)
        for name in ("", *SERVICES):
            answer = health.Check(HealthCheckRequest(service=name), **WITH_ALL)
            assert answer.status == HealthCheckResponse.SERVING
        watching = health.Watch(HealthCheckRequest(), **WITH_ALL)
        assert next(watching).status == HealthCheckResponse.SERVING
        watching.cancel()


def reflected(channel: grpc.Channel) -> list[str]:
    asked = iter([ServerReflectionRequest(list_services="")])
    reflection: Any = ServerReflectionStub(channel)
    (answer,) = reflection.ServerReflectionInfo(asked, **WITH_ALL)
    return [service.name for service in answer.list_services_response.service]


def test_reflection_is_there_where_it_is_asked_for(database: None) -> None:
    with serving(reflection=True) as server, client_of(server.port) as client:
        assert set(SERVICES) < set(reflected(client.channel))
    with serving() as server, client_of(server.port) as client:
        with pytest.raises(grpc.RpcError) as caught:
            reflected(client.channel)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_by_itself_it_is_closed_and_mails_ask_the_tables() -> None:
    told = "s.GRPC['tokens'], s.GRPC['reflection'], s.GRPC_METRICS_PORT, s.PEOPLE"
    read = f"import ordersite.settings as s; print({told})"
    closed = run_python("-c", read, **COMPLETE, GRPC_SERVICE_TOKENS="one, two,").stdout
    assert closed == "('one', 'two') False 0 notifications.people.LocalPeople\n"
    more = {"EMBEDDED": "1", "GRPC_METRICS_PORT": "9102", "USERS_GRPC_TARGET": "localhost:50051"}
    opened = run_python("-c", read, **COMPLETE, **more).stdout
    assert opened == "() True 9102 rpc.people.RemotePeople\n"


def test_a_call_under_way_is_answered_before_the_end(database: None, locked_users: Lock) -> None:
    with serving() as server, client_of(server.port) as client:
        call = client.users.GetUser.future(GetUserRequest(user_id=str(uuid4())), **WITH_ALL)
        until("its query waits", queries, seconds=5)
        ending = Thread(target=server.stop)
        ending.start()
        until("no other call is taken", lambda: refuses(client), seconds=5)
        assert not call.done()
        locked_users.release()
        assert call.code() is grpc.StatusCode.NOT_FOUND
        ending.join()


def refuses(client: Client) -> bool:
    call: Any = client.users.BatchGetUsers.future(BatchGetUsersRequest(), **WITH_ALL)
    return call.code() is grpc.StatusCode.UNAVAILABLE


def test_a_database_of_which_nothing_is_heard_is_no_health(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEALTH_TIMEOUT", 0.1)
    silent, lookups = Event(), Lookups(1)

    async def ask() -> bool:
        waiting = asyncio.create_task(lookups.run(10, lambda: silent.wait(10)))
        await asyncio.sleep(0)
        answered = await server_module._answers(lookups)
        silent.set()
        await waiting
        return answered

    try:
        assert asyncio.run(ask()) is False
    finally:
        lookups.close()


def test_another_service_is_asked_in_clear_on_loopback_only() -> None:
    done = run_python("-c", "import ordersite.settings", **COMPLETE, USERS_GRPC_TARGET="users.example.com:50051")
    assert done.returncode == 1
    assert "USERS_GRPC_TARGET=users.example.com:50051 is beyond loopback" in done.stderr
    assert "Set USERS_GRPC_CA" in done.stderr
