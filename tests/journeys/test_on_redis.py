"""The journeys that lean on the broker, on Redis: over TLS, and as a user who may do what docs/redis.md lists."""

import json
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis

from events.tests.waiting import until
from local.processes import ONE_A_QUEUE
from local.settings import CHECKOUT
from tests.journeys.client import Api, confirmed
from tests.journeys.conftest import run_system
from tests.journeys.redis_server import BINARY, OPENSSL, RedisServer
from tests.journeys.system import OURS, System

# With the fixtures below, these run on Redis.
from tests.journeys.test_an_orders_life import test_an_order_is_confirmed_and_its_mails_arrive
from tests.journeys.test_bad_days import (
    test_beat_has_the_stock_checked,
    test_flower_shows_a_back_off_as_retry_and_then_success_under_one_id,
    test_without_a_broker_orders_are_taken_and_the_work_catches_up,
)

__all__ = [
    "test_an_order_is_confirmed_and_its_mails_arrive",
    "test_beat_has_the_stock_checked",
    "test_flower_shows_a_back_off_as_retry_and_then_success_under_one_id",
    "test_without_a_broker_orders_are_taken_and_the_work_catches_up",
]

pytestmark = pytest.mark.skipif(
    not (BINARY and OPENSSL), reason="redis-server or openssl is not on PATH: apt-get install redis-server openssl"
)

SKU = "TEA-ASSAM-100"
PAGE = CHECKOUT / "docs" / "redis.md"
# What a site on this broker URL says of it: the health page's answer, and what Celery meets when it connects.
CONNECT = """
import json, os, sys
os.environ["BROKER_URL"] = sys.argv[1]
import django
django.setup()
from ordersite.celery import app
from events.operations.availability import broker_refusal
try:
    with app.connection_for_write() as connection:
        connection.connect()
    met = "ok"
except Exception as error:
    met = str(error)
print(json.dumps([not broker_refusal(), met]))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis with the user of the page, whose password has all that a URL must quote."""
    (user,) = [line for line in PAGE.read_text().splitlines() if line.startswith("user ordersite on >PASSWORD ")]
    with tempfile.TemporaryDirectory(prefix="ordersite-redis-") as folder, Path(folder, "log").open("w") as log:
        server = RedisServer(
            Path(folder),
            user=user.replace("PASSWORD", f"{secrets.token_urlsafe(24)}:/?#@%"),
            log=lambda _, line: print(line, file=log),
        )
        try:
            server.server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def running(server: RedisServer) -> Iterator[System]:
    with run_system(server) as system:
        yield system


@pytest.fixture(autouse=True)
def nothing_was_denied(server: RedisServer) -> Iterator[None]:
    """After each journey, since Redis forgets its log when it stops."""
    yield
    assert server.ask("ACL", "LOG") == []


def test_all_workers_and_beat_answer_and_flower_counts_the_messages(system: System) -> None:
    def pongs() -> int:
        return system.run("-m", "celery", "-A", "ordersite", "inspect", "ping").count("pong")

    def counted() -> set[str]:
        assert system.flower("/api/workers?refresh=1").status == 200
        return {queue["name"] for queue in system.flower("/api/queues/length").json["active_queues"]}

    until("all answer", lambda: pongs() == len(ONE_A_QUEUE) + 1)  # and beat; within a second, or they are not counted
    until("Flower counts in all queues", lambda: counted() == set(ONE_A_QUEUE))
    assert system.ready().json["broker"] == "ok"


def holds_messages(system: System, server: RedisServer) -> bool:
    """Whether both processes of the worker are busy, and it holds a message that neither has begun."""
    running = "SELECT count(DISTINCT token) FROM events_delivery WHERE queue = 'inventory' AND state = 'running'"
    return bool(system.sql(running) == [(2,)] and "inventory" in held_queues(server))


def held_queues(server: RedisServer) -> set[str]:
    """Return the queues of the messages that any worker has taken and not begun; kombu keeps them in one hash."""
    return {queue for _, _, queue in map(json.loads, server.ask("HVALS", "unacked"))}


def test_a_stopped_worker_gives_back_what_it_holds_and_what_a_wipe_takes_comes_again(
    system: System, server: RedisServer, ada: Api
) -> None:
    worker = system.supervisor.processes["worker-inventory"]
    with system.locked(SKU):
        orders = [ada.order(SKU)]

        def one_more_and_held() -> bool:
            orders.append(ada.order(SKU))
            return holds_messages(system, server)

        until("messages are held", one_more_and_held)
        worker.ask_to_stop()
    worker.stop(20)
    assert "cmdstat_rpush" in server.ask("INFO", "commandstats")  # nothing else uses it
    until("messages wait in the list", lambda: server.ask("LLEN", "inventory"))
    server.ask("FLUSHALL")
    worker.start()
    for order in orders:
        confirmed(ada, order, seconds=60)


@pytest.mark.parametrize(
    "command",
    [
        "GET session:1",
        "LPUSH mine x",
        "LRANGE inventory 0 -1",
        "KEYS *",
        "FLUSHALL",
        "CONFIG GET *",
        "CLIENT LIST",
        "EVAL return 0",
        "PSUBSCRIBE *",
        "PUBLISH mine x",
    ],
)
def test_the_user_may_do_nothing_else(server: RedisServer, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        server.ask(*command.split(), url=server.url_of_user)
    server.ask("ACL", "LOG", "RESET")


def test_a_certificate_that_nobody_vouches_for_is_refused(system: System, server: RedisServer) -> None:
    without_ca = server.url_of_user.partition("?")[0]
    answers, met = json.loads(system.run("-c", CONNECT, without_ca))
    assert not answers
    assert "CERTIFICATE_VERIFY_FAILED" in met
    spelled_as_in_celery = f"{without_ca}?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={server.ca}"
    assert json.loads(system.run("-c", CONNECT, spelled_as_in_celery)) == [True, "ok"]


# Last, since they move the system away from the user above.
@pytest.mark.parametrize("way", ["url_with_password", "url_with_tls"])
def test_a_password_is_enough_without_a_name_and_with_or_without_tls(
    system: System, server: RedisServer, ada: Api, way: str
) -> None:
    url = getattr(server, way)
    system.move(url, "web", "relay", "worker-inventory")
    confirmed(ada, ada.order(SKU), seconds=60)
    assert server.connections(url) >= 3
    assert system.ready().json["broker"] == "ok"


@pytest.mark.chaos
def test_the_users_password_is_changed_while_all_runs(system: System, server: RedisServer, ada: Api) -> None:
    """As docs/passwords.md has it. All processes are restarted, which takes a while."""
    old, new = server.url_of_user, secrets.token_urlsafe(24)
    server.ask("ACL", "SETUSER", server.user, f">{new}")
    before = ada.order(SKU)
    parts = urlsplit(old)
    system.move(
        old.replace(str(parts.password), new),
        *(name for name in system.supervisor.processes if name.startswith(OURS)),
    )
    server.ask("ACL", "SETUSER", server.user, f"<{unquote(str(parts.password))}")
    with pytest.raises(redis.exceptions.AuthenticationError):
        server.ask("PING", url=old)
    confirmed(ada, before, seconds=60)
    confirmed(ada, ada.order(SKU), seconds=60)
    assert system.ready().json["broker"] == "ok"
    server.ask("ACL", "LOG", "RESET")  # it has the refusal above
