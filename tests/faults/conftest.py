"""The system that the faults befall, started once for all of them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys import books
from tests.journeys.client import Api


@pytest.fixture(scope="session")
def faulty() -> Iterator[FaultySystem]:
    """The system, running. (Not in pytest's own folder: it is closed to PostgreSQL's user.)"""
    folder = Path(tempfile.mkdtemp(prefix="ordersite-faults-"))
    system = FaultySystem(folder)
    try:
        system.start()
        books.settle(system, seconds=60)  # the demo orders
        yield system
    finally:
        system.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def system(faulty: FaultySystem) -> Iterator[FaultySystem]:
    """The running system; afterwards every guarantee must hold, and no dead letter be left."""
    yield faulty
    guarantees.hold(faulty)


@pytest.fixture
def ada(system: FaultySystem) -> Api:
    return system.person("ada")
