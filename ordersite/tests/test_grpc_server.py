"""How the server starts, what it refuses to do, and how it ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from events.tests.waiting import until
from ordersite.grpc.server import SERVICES, CannotServe
from ordersite.grpc.stubs.users_v1_pb2 import BatchGetUsersRequest
from ordersite.tests.serving import TOKEN, WITH_ALL, Client, Running, client_of, emptied, options, serving
from ordersite.tests.subprocesses import COMPLETE, run_python
from ordersite.tests.test_docker_files import load


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


def test_a_taken_port_is_told_with_its_variable(database: None) -> None:
    with serving() as server, pytest.raises(CannotServe, match=rf"127\.0\.0\.1:{server.port} cannot.*GRPC_PORT"):
        start(port=server.port)


def test_the_command_says_in_one_line_what_is_missing() -> None:
    done = run_python("manage.py", "grpc", **COMPLETE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CommandError: GRPC_SERVICE_TOKENS is not set: nobody could call.\n"


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
        assert load("deploy/docker/healthy.py").CHECKS["grpc"]()


def test_the_health_check_finds_a_server_and_misses_one(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_SERVICE_TOKENS", TOKEN)
    with serving() as server:
        monkeypatch.setenv("GRPC_PORT", str(server.port))
        assert load("deploy/docker/healthy.py").main("grpc") == 0
    assert load("deploy/docker/healthy.py").main("grpc") == 1


def test_each_service_tells_its_health(database: None) -> None:
    with serving() as server, client_of(server.port) as client:
        health = HealthStub(client.channel)
        for name in ("", *SERVICES):
            asked = HealthCheckRequest(service=name)

            def serves(asked: Any = asked) -> bool:
                return bool(health.Check(asked, **WITH_ALL).status == HealthCheckResponse.SERVING)

            until(f"{name} serves", serves) if not name else serves()
        watching = health.Watch(HealthCheckRequest(), **WITH_ALL)
        assert next(watching).status == HealthCheckResponse.SERVING
        watching.cancel()


def reflected(channel: grpc.Channel) -> list[str]:
    asked = iter([ServerReflectionRequest(list_services="")])
    (answer,) = ServerReflectionStub(channel).ServerReflectionInfo(asked, **WITH_ALL)
    return [service.name for service in answer.list_services_response.service]


def test_reflection_is_there_where_it_is_asked_for(database: None) -> None:
    with serving(reflection=True) as server, client_of(server.port) as client:
        assert set(SERVICES) < set(reflected(client.channel))
    with serving() as server, client_of(server.port) as client:
        with pytest.raises(grpc.RpcError) as caught:
            reflected(client.channel)
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_is_off_in_production_and_the_tokens_are_read() -> None:
    read = "import ordersite.settings as s; print(s.GRPC['reflection'], s.GRPC['tokens'], s.GRPC['address'])"
    tokens = {"GRPC_SERVICE_TOKENS": "one, two,"}
    assert run_python("-c", read, **COMPLETE, **tokens).stdout == "False ('one', 'two') 127.0.0.1\n"
    assert run_python("-c", read, **COMPLETE, EMBEDDED="1").stdout.startswith("True ()")


def test_calls_under_way_are_answered_before_the_end(database: None) -> None:
    with serving() as server, client_of(server.port) as client:
        calls = [client.users.BatchGetUsers.future(BatchGetUsersRequest(), **WITH_ALL) for _ in range(20)]
        calls[0].result()
        server.stop()
        ended = [call.exception() for call in calls]
    answered = [error for error in ended if error is None]
    assert answered
    for error in ended:  # those that had not arrived are told so, and may be repeated
        assert error is None or error.code() is grpc.StatusCode.UNAVAILABLE


def test_metrics_have_a_port_of_their_own_where_one_is_named() -> None:
    read = "import ordersite.settings as s; print(s.GRPC_METRICS_PORT)"
    assert run_python("-c", read, **COMPLETE).stdout == "0\n"
    assert run_python("-c", read, **COMPLETE, GRPC_METRICS_PORT="9102").stdout == "9102\n"
