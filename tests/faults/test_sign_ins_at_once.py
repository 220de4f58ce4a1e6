"""Many sign in at once with wrong passwords, in a web that has no more memory than in docker-compose.yml."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher

from events.tests.waiting import until
from local.settings import CHECKOUT, free_port
from tests.faults.system import FaultySystem
from tests.faults.watching import children
from tests.journeys.client import call

MEMORY = 512 << 20  # bytes, as docker-compose.yml has it
AT_ONCE = 40
PASSWORD = "correct horse battery"
JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@contextmanager
def memory_limit() -> Iterator[Path]:
    """Make a control group of processes that have MEMORY together, by either version of the kernel's interface."""
    root, limit = (V1, "memory.limit_in_bytes") if V1.is_dir() else (V2, "memory.max")
    group = root / f"ordersite-{uuid4().hex[:8]}"
    try:
        group.mkdir()
        (group / limit).write_text(str(MEMORY))
    except OSError as error:
        pytest.skip(f"the memory of processes cannot be limited here, even by root: {error}")
    try:
        yield group
    finally:
        until("the group is empty", lambda: not (group / "cgroup.procs").read_text(), seconds=20)
        group.rmdir()


@contextmanager
def web_in(system: FaultySystem, group: Path) -> Iterator[tuple[int, str]]:
    """Run one web more, in this group, until the block ends; its pid and its URL."""
    port = free_port()
    argv = [str(port) if it == system.web.rpartition(":")[2] else it for it in _web(system)]
    with (system.folder / "more.log").open("ab") as log:
        web = subprocess.Popen(
            ["sh", "-c", JOIN, str(group), *argv], env=system.environment, cwd=CHECKOUT, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until("the web is ready", lambda: _is_ready(url), seconds=60)
        yield web.pid, url
    finally:
        web.terminate()
        web.wait(30)


def _web(system: FaultySystem) -> list[str]:
    return list(system.supervisor.processes["web"].command.argv)


def _is_ready(url: str) -> bool:
    try:
        return call("GET", f"{url}/health/ready").status == 200
    except OSError:
        return False


def _register_earlier(system: FaultySystem, web: str) -> str:
    """Register somebody, as if an earlier release had stored their password."""
    email = f"{uuid4().hex}@example.com"
    assert call("POST", f"{web}/api/v1/users", {"email": email, "password": PASSWORD}).status == 201
    stored = Argon2PasswordHasher().encode(PASSWORD, "salt" * 6)
    system.sql("UPDATE users_user SET password = %s WHERE email = %s", stored, email)
    return email


@pytest.mark.chaos
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can limit the memory of processes")
def test_forty_wrong_passwords_at_once_end_no_process_of_a_web_with_512_mib(system: FaultySystem) -> None:
    with memory_limit() as group, web_in(system, group) as (pid, web):
        earlier = _register_earlier(system, web)
        emails = [earlier, f"{uuid4().hex}@example.com"] * (AT_ONCE // 2)
        before = children(pid)

        def sign_in(email: str, password: str = "wrong") -> int:
            return call("POST", f"{web}/api/v1/auth/token", {"email": email, "password": password}).status

        with ThreadPoolExecutor(AT_ONCE) as clients:
            statuses = list(clients.map(sign_in, emails))
        assert children(pid) == before
        assert set(statuses) <= {401, 503}
        assert sign_in(earlier, PASSWORD) == 200
