"""Runs tests in forks of a process that has imported the libraries already, which is half of a run's time.

The process has nothing of the project's code: each fork reads that as it is then, the fault included.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

LIBRARIES = (
    *("celery.app.task", "celery.worker", "kombu", "redis", "psycopg", "pydantic", "grpc", "xdist.plugin"),
    *("django.db.models", "django.test", "django.contrib.postgres.fields", "django.core.management"),
    *("httpx", "jsonschema", "prometheus_client", "argon2", "anyio.pytest_plugin"),
)
POLL = 0.02  # seconds


class Runner:
    """The process, in the folder of the code."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def passes(self, arguments: Sequence[str], *, seconds: float) -> bool:
        """Run pytest with these arguments; tell whether all passed. What takes longer is killed, and has not."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([list(arguments), seconds]), file=self._process.stdin, flush=True)
        return self._process.stdout.readline() == "passed\n"


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    """Have the process as long as the enclosed work goes on."""
    command = [sys.executable, "-m", "tests.mutants.forked"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Runner(process)
        assert process.stdin
        process.stdin.close()


def main() -> None:
    """Run what is asked for on standard input, a line each."""
    for name in LIBRARIES:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    for line in sys.stdin:
        arguments, seconds = json.loads(line)
        print("passed" if _passes(arguments, seconds) else "failed", flush=True)


def _passes(arguments: Sequence[str], seconds: float) -> bool:
    child = os.fork()
    if not child:
        _run(arguments)
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(POLL)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run(arguments: Sequence[str]) -> None:
    """Be the fork: a group of its own, so that what it starts ends with it."""
    code = 1
    try:
        os.setsid()
        os.dup2(os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = int(pytest.main(["-W", "ignore::pytest.PytestAssertRewriteWarning", *arguments]))
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
