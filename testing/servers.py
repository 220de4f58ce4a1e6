"""A pytest plugin: starts PostgreSQL and Valkey for the test run where no DATABASE_URL and BROKER_URL are given.

It acts when it is loaded, since pytest-django reads the settings before any hook of a conftest runs. Of several
processes that run tests (pytest-xdist) each has servers of its own, and so has the one that leads.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from local.servers import VARIABLES, Servers, start_servers
from testing.processes import HIGH_LIMITS, SECRET_KEY

OURS = "TEST_SERVERS"  # the variables that point to servers of the process that leads


def _log(name: str, line: str) -> None:
    LOG.write(f"{name}: {line}\n")


def _stop(servers: Servers) -> None:
    servers.stop()
    LOG.close()
    shutil.rmtree(FOLDER, ignore_errors=True)


def _start() -> Servers | None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        for variable in os.environ.pop(OURS, "").split():
            del os.environ[variable]
    missing = [variable for variable in VARIABLES if not os.environ.get(variable)]
    if not missing:
        return None
    servers = start_servers(FOLDER, log=_log, variables=missing)
    atexit.register(_stop, servers)
    os.environ.update(servers.urls)
    os.environ[OURS] = " ".join(missing)
    return servers


FOLDER = Path(tempfile.mkdtemp(prefix="ordersite-test-"))
LOG = (FOLDER / "servers.log").open("w", buffering=1)
os.environ.setdefault("SECRET_KEY", SECRET_KEY)
os.environ.update(HIGH_LIMITS | os.environ)
os.environ.setdefault("REPORTS_DIR", str(FOLDER / "reports"))
os.environ.setdefault("STATIC_ROOT", str(FOLDER / "static"))  # WhiteNoise reads all of it: no sockets
SERVERS = _start()


@pytest.fixture(autouse=True)
def forgotten_floors() -> None:
    """No test knows what the one before has seen of its rows (events/floors.py)."""
    from events.floors import kept

    kept.forget()
