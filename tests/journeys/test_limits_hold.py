"""The rate limits of a site with two web processes: with the broker, without it, and while it is frozen."""

import http.client
import os
import shutil
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from events.tests.waiting import until
from local.settings import Settings
from tests.journeys.client import Answer, Api, call
from tests.journeys.system import PASSWORD, System

PROCESSES = 2
QUOTA = 10
TIMES = 4 * QUOTA
GUESSES = 2
FAST = 0.05  # seconds: what each request would take at least that waited for a frozen broker


class Web(System):
    """The web alone, with low limits, and a proxy at 127.0.0.1 that says who is asking."""

    def __init__(self, folder: Path) -> None:
        more = {"RATE_LIMIT_USER": str(QUOTA), "RATE_LIMIT_ADDRESS": str(QUOTA), "SIGN_IN_LIMIT_PAIR": str(GUESSES)}
        super().__init__(folder, more=more | {"TRUSTED_PROXIES": "127.0.0.1"})
        self._addresses = iter(range(1, 2**16))

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        return {"web": super().commands(settings)["web"]}

    def _workers_seen(self) -> bool:
        return True

    def get_products(self, address: str) -> Answer:
        return call("GET", f"{self.web}/api/v1/products?page_size=1", X_Forwarded_For=address)

    def get_with(self, headers: list[tuple[str, str]]) -> int:
        """Ask with headers of any name, and return the status."""
        connection = http.client.HTTPConnection(urlsplit(self.web).netloc, timeout=15)
        with closing(connection):
            connection.putrequest("GET", "/api/v1/products?page_size=1")
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            return connection.getresponse().status

    def new_address(self) -> str:
        number = next(self._addresses)
        return f"10.0.{number // 256}.{number % 256}"

    def ask_often(self) -> tuple[Counter[int], float]:
        """Ask from one address, more often than it may; return the statuses and the median of the times."""
        address, statuses, times = self.new_address(), Counter[int](), []
        for _ in range(TIMES):
            started = time.perf_counter()
            statuses[self.get_products(address).status] += 1
            times.append(time.perf_counter() - started)
        return statuses, statistics.median(times)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    folder = Path(tempfile.mkdtemp(prefix="ordersite-web-"))
    system = Web(folder)
    try:
        system.start()
        yield system
    finally:
        system.stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stopped(web: Web) -> Iterator[None]:
    web.broker.stop()
    try:
        yield
    finally:
        web.broker.start()


@contextmanager
def frozen(web: Web) -> Iterator[None]:
    pid = web.broker.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def holds_across_processes(web: Web) -> bool:
    """Tell whether all processes together let in so many as one may. A busy machine may have one count for itself."""
    return web.ask_often()[0] == {200: QUOTA, 429: TIMES - QUOTA}


def holds_in_each(web: Web) -> bool:
    """Tell whether no process let in more than one may. A window may end meanwhile."""
    statuses, median = web.ask_often()
    assert statuses.keys() == {200, 429}
    assert median < FAST
    return QUOTA <= statuses[200] <= PROCESSES * QUOTA


def test_the_limit_holds_across_processes(web: Web) -> None:
    until("the limit holds across processes", lambda: holds_across_processes(web), seconds=60)


@pytest.mark.parametrize("name", ["X_Forwarded_For", "x_forwarded-for", "X-FORWARDED_FOR"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_a_header_with_an_underscore_does_not_say_who_asks(web: Web, name: str, first: bool) -> None:
    address = web.new_address()
    until("it is asked for too often", lambda: web.get_products(address).status == 429)
    real, made_up = ("X-Forwarded-For", address), (name, web.new_address())
    assert web.get_with([made_up, real] if first else [real, made_up]) == 429


def test_a_person_is_limited_too_and_told_how_they_stand(web: Web) -> None:
    ada = web.person("ada")

    def refused() -> Answer | None:
        answer = ada.get("/orders")
        return answer if answer.status == 429 else None

    last = until("it is too often", refused)
    assert last
    assert last.json["code"] == "throttled"
    assert last.headers.get_content_type() == "application/problem+json"
    assert last.headers["RateLimit-Policy"] == f'"user";q={QUOTA};w=60'
    assert last.headers["RateLimit"].startswith('"user";r=0;t=')
    assert 0 < int(last.headers["Retry-After"]) <= 60


@pytest.mark.parametrize("broken", [stopped, frozen], ids=["stopped", "frozen"])
def test_without_the_broker_it_holds_in_each_process_and_nothing_is_slow(web: Web, broken: object) -> None:
    with broken(web):  # type: ignore[operator]
        web.ask_often()  # each process finds out
        until("the limit holds in each process", lambda: holds_in_each(web), seconds=60)
    until("the limit holds across processes again", lambda: holds_across_processes(web), seconds=60)


@pytest.mark.parametrize("broken", [stopped, frozen], ids=["stopped", "frozen"])
def test_without_the_broker_a_password_cannot_be_guessed_at_will(web: Web, broken: object) -> None:
    url, given = f"{web.web}/api/v1/auth/token", {"email": "ada@example.com", "password": "wrong"}
    with broken(web):  # type: ignore[operator]
        address = web.new_address()
        answers = Counter(
            call("POST", url, given, X_Forwarded_For=address).status for _ in range(2 * PROCESSES * GUESSES)
        )
        assert answers.keys() <= {401, 429}
        assert answers[401] <= PROCESSES * GUESSES  # whichever process each came to
        assert Api(web.web).sign_in("ada@example.com", PASSWORD).token
