"""The system that the faults befall, started once for all of them."""

from collections.abc import Iterator

import pytest

from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys.client import Api
from tests.journeys.running import run_started


@pytest.fixture(scope="session")
def faulty() -> Iterator[FaultySystem]:
    """The system, running."""
    with run_started(FaultySystem) as system:
        yield system


@pytest.fixture
def system(faulty: FaultySystem) -> Iterator[FaultySystem]:
    """The running system; afterwards every guarantee must hold, and no dead letter be left."""
    yield faulty
    guarantees.hold(faulty)


@pytest.fixture
def ada(system: FaultySystem) -> Api:
    return system.person("ada")
