from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.journeys import books
from tests.journeys.client import Api
from tests.journeys.redis_server import RedisServer
from tests.journeys.running import run_started
from tests.journeys.system import System


@pytest.fixture(scope="package")
def running() -> Iterator[System]:
    """The system, started once for all journeys."""
    with run_system() as system:
        yield system


@contextmanager
def run_system(redis: RedisServer | None = None) -> Iterator[System]:
    """Run a system until the block ends."""
    with run_started(lambda folder: System(folder, redis)) as system:
        yield system


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
