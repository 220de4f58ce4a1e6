"""What tests of a running system share: it is started once, in one of the processes that run tests."""

from fnmatch import fnmatch

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.journeys.client import Api
from tests.journeys.system import System

SHARING = (
    "tests/journeys/test_on_redis.py",  # has a system of its own
    "tests/journeys/*_in_a_browser.py",  # half of the journeys' time: another process takes them
    "tests/journeys/*",
    "tests/faults/*",
)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Hands out one test at a time, and as a whole those that share a system. (`--dist loadgroup` groups nothing.)"""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((files for files in SHARING if fnmatch(file, files)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Return who hands out the tests."""
    return Scheduling(config, log)


@pytest.fixture
def ada(system: System) -> Api:
    """A customer, signed in."""
    return system.person("ada")
