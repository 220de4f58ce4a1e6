import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys import books
from tests.journeys.client import Api
from tests.journeys.redis_server import RedisServer
from tests.journeys.system import System


@pytest.fixture(scope="session")
def running() -> Iterator[System]:
    """The system, started once for all journeys."""
    with run_system() as system:
        yield system


@contextmanager
def run_system(redis: RedisServer | None = None) -> Iterator[System]:
    """Run a system until the block ends. (Not in pytest's own folder: it is closed to PostgreSQL's user.)"""
    folder = Path(tempfile.mkdtemp(prefix="ordersite-journeys-"))
    system = System(folder, redis)
    try:
        system.start()
        books.settle(system, seconds=60)  # the demo orders
        yield system
    finally:
        system.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def system(running: System) -> Iterator[System]:
    """The running system; afterwards everything must be final, and the books must agree."""
    yield running
    books.settle(running)
    books.check(running)


@pytest.fixture
def ada(system: System) -> Api:
    return system.person("ada")


@pytest.fixture
def staff(system: System) -> Api:
    return system.person("admin")
