"""What `make run` refuses, and what it keeps from run to run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import LocalError
from local.run import make_environment
from local.servers import Servers
from local.settings import (
    Settings,
    check_ports,
    free_port,
    listen,
    lock,
    make_secrets,
    read_environment,
    read_settings,
    write_environment,
)
from local.supervisor import Supervisor


def test_a_taken_port_is_named_with_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=rf"Port {port} is taken.*WEB_PORT"):
            check_ports({"WEB_PORT": port})


def test_a_port_is_chosen_once_and_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    with listen(first + 1):
        ports = {first, *(free_port() for _ in range(30))}
        assert first + 1 not in ports
    assert len(ports) == 31
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    assert free_port() not in ports


def test_one_port_for_two_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(LocalError, match="FLOWER_PORT"):
        check_ports({"WEB_PORT": port, "FLOWER_PORT": port})


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1"])
def test_nonsense_is_not_a_port(value: str) -> None:
    with pytest.raises(LocalError, match=f"WEB_PORT={value} is not a port"):
        read_settings({"WEB_PORT": value})


def test_a_second_run_on_the_same_data_is_refused(tmp_path: Path) -> None:
    held = lock(tmp_path)
    program = "import pathlib, sys; from local.settings import lock; lock(pathlib.Path(sys.argv[1]))"
    second = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert f"Another `make run` (process {os.getpid()}) uses {tmp_path}" in second.stderr
    os.close(held)


def test_a_data_dir_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match=r"DATA_DIR=.*cannot be written"):
        lock(tmp_path / "file" / "data")


def test_secrets_are_made_once_and_kept_where_only_we_can_read_them(tmp_path: Path) -> None:
    first = make_secrets({}, read_environment(tmp_path))
    write_environment(tmp_path, first)
    assert make_secrets({}, read_environment(tmp_path)) == first
    assert len(first["SECRET_KEY"]) >= 50
    assert (tmp_path / "environment").stat().st_mode & 0o777 == 0o600


def test_a_secret_of_the_environment_wins(tmp_path: Path) -> None:
    write_environment(tmp_path, {"FLOWER_BASIC_AUTH": "kept:kept"})
    given = {"FLOWER_BASIC_AUTH": "given:given"}
    assert make_secrets(given, read_environment(tmp_path))["FLOWER_BASIC_AUTH"] == "given:given"


def test_the_processes_and_who_joins_them_are_told_where_flower_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(web_port=8001, flower_port=5556, data_dir=tmp_path, demo_password="x")
    monkeypatch.delenv("FLOWER_URL", raising=False)
    with Servers(Supervisor(log=lambda name, line: None)) as servers:
        servers.urls = {"DATABASE_URL": "postgres://here", "BROKER_URL": "redis://here"}
        assert make_environment(settings, servers)["FLOWER_URL"] == "http://127.0.0.1:5556"
        assert read_environment(tmp_path)["FLOWER_URL"] == "http://127.0.0.1:5556"
        monkeypatch.setenv("FLOWER_URL", "https://flower.example.com")
        assert make_environment(settings, servers)["FLOWER_URL"] == "https://flower.example.com"
