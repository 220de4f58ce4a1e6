"""SIGTERM: each process finishes what it has in hand, within its limit, and what it does not finish is not lost."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from events.tests.waiting import until
from local.process import Process
from tests.faults import guarantees
from tests.faults.shoppers import Shoppers
from tests.faults.system import FaultySystem
from tests.journeys import books
from tests.journeys.client import Api, call
from tests.journeys.system import LEASE
from web.server import DRAIN_SECONDS

MAIL_WORKER = "worker-notifications"
RECEIVED = "notifications.send_order_received"
QUEUES = ["inventory", "orders", "notifications", "analytics"]
HARD_LIMIT = 0.8 * LEASE
SLACK = 20  # seconds that a busy machine needs for the end of a process
RETRIED = """
SELECT handler, state, attempts, waits, error_type FROM events_delivery
WHERE subject = ANY(%s::uuid[]) AND (state <> 'done' OR attempts <> 1 OR waits <> 0)
"""
LEASED = "SELECT handler FROM events_delivery WHERE state IN ('leased', 'running')"
RENEWED = "started_at < clock_timestamp() - make_interval(secs => lease_seconds) AND lease_until > clock_timestamp()"


def ended(process: Process, *, seconds: float) -> float:
    """Wait until the process has ended by itself; return how long that took, in seconds."""
    start = time.monotonic()
    until(f"{process.command.name} has ended", lambda: process.pid is None, seconds=seconds)
    return time.monotonic() - start


@contextmanager
def stopping(system: FaultySystem, name: str) -> Iterator[Process]:
    """Send SIGTERM to a process; start it again after the block."""
    process = system.supervisor.processes[name]
    until(f"{name} runs", lambda: process.pid)
    process.ask_to_stop()
    try:
        yield process
    finally:
        process.stop(1)
        process.start()
        until("the web is ready", system.is_ready, seconds=90)


@contextmanager
def a_mail_under_way(system: FaultySystem, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the mail server take its time over the next mail; it answers when the event is set."""
    asked, answer = threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        answer.wait(60)
        return "250 taken"

    with monkeypatch.context() as patch:
        patch.setattr(system.mailbox, "answer", slow)
        system.person("ada").order(system.product())
        assert asked.wait(30), "no mail is under way"
        try:
            yield answer
        finally:
            answer.set()


def mails_under_way(system: FaultySystem) -> list[tuple[Any, ...]]:
    return list(system.sql("SELECT id::text FROM events_delivery WHERE queue = 'notifications' AND state = 'running'"))


# --- the web -------------------------------------------------------------------------------------------------------


def test_a_request_in_flight_is_answered_and_new_ones_are_refused(system: FaultySystem, ada: Api) -> None:
    sku = system.product()
    orders: list[Any] = []
    with psycopg.connect(system.servers.database_url) as blocker:
        blocker.execute("LOCK TABLE orders_order IN SHARE MODE")
        client = threading.Thread(target=lambda: orders.append(ada.order(sku)))
        client.start()
        until("the request is in its transaction", lambda: system.sql("SELECT 1 FROM pg_locks WHERE NOT granted"))
        with stopping(system, "web") as web:
            until("new connections are refused", lambda: refused(system))
            assert web.pid is not None, "the web did not wait for the request"
            blocker.rollback()
            client.join()
            assert len(orders) == 1
            ended(web, seconds=SLACK)
    guarantees.hold(system, orders)


def refused(system: FaultySystem) -> bool:
    try:
        call("GET", f"{system.web}/health/live")
    except OSError as error:
        return isinstance(getattr(error, "reason", error), ConnectionRefusedError)
    return False


@pytest.mark.chaos
def test_a_client_that_never_ends_its_request_delays_the_web_by_its_limit_only(system: FaultySystem) -> None:
    address = urlsplit(system.web)
    with socket.create_connection((str(address.hostname), address.port or 0)) as client:
        client.sendall(b"POST /api/v1/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        client.sendall(b"Content-Length: 1000\r\n\r\n{")
        call("GET", f"{system.web}/health/live")  # by now the web has the connection
        with stopping(system, "web") as web:
            ended(web, seconds=DRAIN_SECONDS + SLACK)


# --- a worker ------------------------------------------------------------------------------------------------------


def test_a_handler_in_flight_is_finished_and_counted_once(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_mail_under_way(system, monkeypatch) as answer:
        [(mail,)] = mails_under_way(system)
        with stopping(system, MAIL_WORKER) as worker:
            # Past its lease, which is renewed while the handler works, in a worker that is ending too.
            until("its lease was renewed", lambda: system.row(mail, RENEWED) == (True,), seconds=3 * LEASE)
            assert worker.pid is not None, "the worker did not wait for its handler"
            answer.set()
            ended(worker, seconds=SLACK)
            assert system.row(mail) == ("done", 1, "")
    guarantees.hold(system)


def test_a_handler_that_hangs_ends_at_its_hard_limit_in_a_worker_that_is_ending(system: FaultySystem) -> None:
    subject = uuid4()
    told = {"id": str(subject), "what": "hang"}
    [hanging] = system.publish("faults.order_given.v1", subject, told, ["faults.obey"], max_attempts=1)
    until("the handler hangs", lambda: system.row(hanging)[0] == "running")
    with stopping(system, "worker-faults") as worker:
        ended(worker, seconds=HARD_LIMIT + SLACK)
    guarantees.hold(system, dead=[hanging])
    assert system.row(hanging) == ("dead", 1, "worker_lost")
    system.run("manage.py", "deadletters", "discard", hanging, "--reason", "the test is over")


def test_a_worker_killed_before_it_has_drained_costs_a_lease(
    system: FaultySystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_mail_under_way(system, monkeypatch):
        [(mail,)] = mails_under_way(system)
        with stopping(system, MAIL_WORKER) as worker:
            worker.kill()
            ended(worker, seconds=SLACK)
            assert system.row(mail)[0] == "running"
    guarantees.hold(system)
    assert system.row(mail) == ("done", 2, "")


# --- a relay -------------------------------------------------------------------------------------------------------


def test_a_relay_sends_what_it_has_claimed_before_it_ends(system: FaultySystem, ada: Api) -> None:
    system.arm("relay.claimed", "stop")
    order = ada.order(system.product())
    system.wait_for("relay.claimed")
    with stopping(system, "relay") as relay:
        system.signal("relay", signal.SIGCONT)
        ended(relay, seconds=SLACK)
        # Nobody ends leases now: what was claimed and not sent would stay.
        until("all that was claimed is done", lambda: not system.sql(LEASED), seconds=60)
        assert ("done", 1) in [row[1:] for row in system.of_order(order)]
    guarantees.hold(system, [order])


# --- all of them, under load ---------------------------------------------------------------------------------------


@pytest.mark.chaos
def test_workers_and_relay_restarted_one_by_one_under_load_repeat_nothing(system: FaultySystem, ada: Api) -> None:
    with Shoppers(ada, [system.product() for _ in range(5)]) as shoppers:
        for name in ["relay", *(f"worker-{queue}" for queue in QUEUES)]:
            shoppers.wait_for(5)
            with stopping(system, name) as process:
                ended(process, seconds=SLACK)
        shoppers.wait_for(5)
    assert not shoppers.failed
    assert (shoppers.refused, shoppers.broken) == (0, 0)
    settled(system, shoppers)
    assert system.sql(RETRIED, [order["id"] for order in shoppers.orders]) == []


@pytest.mark.chaos
def test_one_web_restarted_under_load_fails_no_request_that_it_took(system: FaultySystem, ada: Api) -> None:
    with Shoppers(ada, [system.product() for _ in range(5)]) as shoppers:
        shoppers.wait_for(10)
        with stopping(system, "web") as web:
            ended(web, seconds=DRAIN_SECONDS + SLACK)
        shoppers.wait_for(10)
    assert not shoppers.failed  # no answer but 201; while the port is down, connections are refused
    assert shoppers.refused > 0
    settled(system, shoppers)


def settled(system: FaultySystem, shoppers: Shoppers) -> None:
    """Hold the guarantees, once what the shoppers ordered is worked off."""
    books.settle(system, seconds=240)
    guarantees.hold(system, shoppers.orders)
