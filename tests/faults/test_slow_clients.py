"""Strangers hold connections open, break off, or speak another protocol: nobody else notices."""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.slow_clients import BODY, slow_clients
from tests.faults.system import FaultySystem
from tests.journeys.client import Api, call
from web.front import LARGE_BODIES, SMALL_BODY
from web.server import WORKERS

REQUESTS = 200
FACTOR = 2.0
PROBE = 2.5  # seconds in which a probe is answered, whatever hangs
HANGING = 8  # twice as many requests as the web has threads
ENOUGH = 0.1  # seconds; what is answered within them is fast, on a busy machine too


def connect(system: FaultySystem) -> socket.socket:
    where = urlsplit(system.web)
    return socket.create_connection((str(where.hostname), where.port or 0), timeout=10)


def ordinary_request(system: FaultySystem) -> float:
    """Return the seconds that a client waits for a page of products."""
    start = time.perf_counter()
    assert call("GET", f"{system.web}/api/v1/products?page_size=5").status == 200
    return time.perf_counter() - start


def waits(system: FaultySystem) -> list[float]:
    """Return the seconds that each of a client's requests took, the shortest first."""
    return sorted(ordinary_request(system) for _ in range(REQUESTS))


def p99(seconds: list[float]) -> float:
    return seconds[int(REQUESTS * 0.99) - 1]


def beside_slow_clients(system: FaultySystem, ada: Api, statistic: Callable[[list[float]], float]) -> None:
    """Check that this statistic of an ordinary client's waits is not far above what it was without the slow ones."""
    sku = system.product()
    before = statistic(waits(system))
    with slow_clients(system.web) as clients:
        until("all slow clients are connected", lambda: clients.all_open, seconds=60)
        during = statistic(waits(system))
        order = ada.order(sku)
        until("a slow body is given up", lambda: clients.timed_out, seconds=30)
    assert during <= max(FACTOR * before, ENOUGH)
    guarantees.hold(system, [order])


def test_thousands_of_slow_clients_change_nothing_for_an_ordinary_one(system: FaultySystem, ada: Api) -> None:
    beside_slow_clients(system, ada, median)  # the slowest of them wait for the tests that run beside this one


@pytest.mark.chaos
def test_thousands_of_slow_clients_do_not_slow_even_the_slowest_requests(system: FaultySystem, ada: Api) -> None:
    beside_slow_clients(system, ada, p99)


def test_a_body_that_breaks_off_holds_nothing(system: FaultySystem) -> None:
    for _ in range(20):
        with connect(system) as client:
            client.sendall(BODY)
    assert ordinary_request(system) < PROBE


def test_bodies_that_are_large_are_held_in_a_bounded_number(system: FaultySystem, ada: Api) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(system)) for _ in range(4 * LARGE_BODIES)]
        for client in clients:
            client.sendall(BODY.replace(b"1000", str(SMALL_BODY + 1).encode()))
        order = ada.order(system.product())
        # Each of the two workers holds LARGE_BODIES of them; the others were answered at once.
        answered = select.select(clients, [], [], 5)[0]
        assert len(answered) >= LARGE_BODIES
        assert b" 503 " in answered[0].recv(4_096)
    guarantees.hold(system, [order])


def test_http2_in_clear_is_not_spoken(system: FaultySystem) -> None:
    with connect(system) as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")  # the preface, and empty SETTINGS
        assert not client.recv(100).startswith(b"\0")  # no frame


def test_probes_are_answered_while_every_request_waits_for_a_commit(system: FaultySystem, ada: Api) -> None:
    sku = system.product()
    orders: list[Any] = []
    clients = [threading.Thread(target=lambda: orders.append(ada.order(sku))) for _ in range(HANGING)]
    with psycopg.connect(system.servers.database_url, autocommit=True) as operator:
        operator.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        operator.execute("SELECT pg_reload_conf()")
        try:
            for client in clients:
                client.start()
            waiting = "SELECT count(*) >= 4 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            until("all threads wait for the standby", lambda: system.sql(waiting)[0][0])
            start = time.monotonic()
            assert call("GET", f"{system.web}/health/live").status == 200
            assert call("GET", f"{system.web}/health/ready").status in (200, 503)
            assert time.monotonic() - start < 2 * PROBE
        finally:
            operator.execute("ALTER SYSTEM RESET synchronous_standby_names")
            operator.execute("SELECT pg_reload_conf()")
    for client in clients:
        client.join()
    guarantees.hold(system, orders)


def workers(system: FaultySystem) -> list[psutil.Process]:
    """The web's workers. Forked ones would have its own command line, and whatever lock its thread held."""
    web = system.supervisor.pid("web")
    assert web
    return [child for child in psutil.Process(web).children() if "spawn_main" in " ".join(child.cmdline())]


def test_workers_inherit_no_lock_of_the_thread_that_watches_them(system: FaultySystem) -> None:
    assert len(workers(system)) == WORKERS


@pytest.mark.chaos
def test_a_web_worker_that_no_longer_answers_is_replaced(system: FaultySystem) -> None:
    web = system.supervisor.pid("web")
    frozen = workers(system)[0]
    os.kill(frozen.pid, signal.SIGSTOP)
    until("the frozen worker is gone", lambda: not frozen.is_running(), seconds=120)
    until("the web is ready", system.is_ready, seconds=60)
    assert system.supervisor.pid("web") == web
