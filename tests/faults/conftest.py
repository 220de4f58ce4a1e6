"""The system that the faults befall, started once for all of them."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys.running import run_started

FAILED = pytest.StashKey[bool]()
EVIDENCE = Path(os.environ.get("EVIDENCE") or tempfile.gettempdir())
"""Where the processes' log goes after a test that failed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note on a test that it failed, for its fixtures (pytest's documented way)."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


class Running:
    """A system that runs for as long as the guarantees hold in it. After that the next test gets a new one."""

    def __init__(self, make: Callable[[Path], FaultySystem] = FaultySystem) -> None:
        self._make = make
        self._stack = ExitStack()
        self._system: FaultySystem | None = None

    def get(self) -> FaultySystem:
        """Return the system, started where it has to be."""
        if self._system is None:
            self._system = self._stack.enter_context(run_started(self._make))
        return self._system

    def check(self, test: pytest.Item) -> None:
        """Check every guarantee, and that no dead letter is left."""
        good = False
        try:
            guarantees.hold(self.get())
            good = not test.stash[FAILED]
        finally:
            if not good:
                self._give_up(test.name)

    def _give_up(self, name: str) -> None:
        """Keep the log, and have the next test get a new system."""
        kept = EVIDENCE / f"{name.replace('/', '_')}.log"
        shutil.copy(self.get().folder / "run.log", kept)
        print(f"the log of the processes: {kept}")  # noqa: T201
        self.stop()

    def stop(self) -> None:
        """Stop and remove the system."""
        self._system = None
        self._stack.close()


@pytest.fixture(scope="package")
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


@pytest.fixture
def system(running: Running, request: pytest.FixtureRequest) -> Iterator[FaultySystem]:
    """The running system; afterwards every guarantee must hold, and no dead letter be left."""
    yield running.get()
    running.check(request.node)
