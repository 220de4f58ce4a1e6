"""Of the processes that run tests, one runs all that share a running system: it is started once."""

import pytest
from xdist.scheduler import LoadScopeScheduling

ALONE = "tests/journeys/test_on_redis.py"  # has a system of its own
SHARING = ("tests/journeys/", "tests/faults/")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Hands out one test at a time, and as a whole those that share a system. (`--dist loadgroup` groups nothing.)"""

    def _split_scope(self, nodeid: str) -> str:
        return next((scope for scope in (ALONE, *SHARING) if nodeid.startswith(scope)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Return who hands out the tests."""
    return Scheduling(config, log)
