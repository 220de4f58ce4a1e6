from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page

from tests.journeys import books, browser
from tests.journeys.client import Api
from tests.journeys.collector import Collector, run_collector
from tests.journeys.running import run_started
from tests.journeys.system import PASSWORD, GivenBroker, System


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """What receives the system's traces."""
    with run_collector() as collector:
        yield collector


@pytest.fixture(scope="package")
def running(collector: Collector) -> Iterator[System]:
    """The system, started once for all journeys, with logs and traces as in production."""
    with run_system(more={"LOG_FORMAT": "json", **collector.variables}) as system:
        yield system


@contextmanager
def run_system(broker: GivenBroker | None = None, more: Mapping[str, str] | None = None) -> Iterator[System]:
    """Run a system until the block ends. `more` are variables of its environment."""
    with run_started(lambda folder: System(folder, broker, more)) as system:
        yield system


@pytest.fixture
def system(running: System) -> Iterator[System]:
    """The running system; afterwards everything must be final, and the books must agree."""
    yield running
    books.settle(running)
    books.check(running)


@pytest.fixture(scope="module")
def signed_in(running: System, request: pytest.FixtureRequest) -> Iterator[Page]:
    """One browser for all tests of a module, signed in as staff, or as its PERSON.

    Nothing that it opens may fail or ask elsewhere.
    """
    if not browser.CHROMIUM:
        pytest.skip(browser.MISSING)
    with browser.browse() as page:
        browser.sign_in(page, running.web, getattr(request.module, "PERSON", "admin@example.com"), PASSWORD)
        yield page


@pytest.fixture
def staff(system: System) -> Api:
    return system.person("admin")
