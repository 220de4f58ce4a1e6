"""Commands started by hand beside the running system, as a person does in a second terminal."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.settings import CHECKOUT
from tests.journeys.system import System

SECONDS = 60  # for a command that ends by itself
GRACE = 10  # seconds for one that is told to end


def run(system: System, command: str, **environment: str) -> str:
    """Run a command of the shell to its end and return what it printed."""
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=CHECKOUT,
        env=_environment(system, environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}"
    return done.stdout


@contextmanager
def running(system: System, command: str, log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Keep a command running meanwhile; what it prints goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-ec", f"exec {command}"],
            cwd=CHECKOUT,
            env=_environment(system, environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment(system: System, more: dict[str, str]) -> dict[str, str]:
    """The system's, with the programs of this Python's environment first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{system.environment['PATH']}"
    return {**system.environment, "PATH": path, **more}
