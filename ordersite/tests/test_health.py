import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings as site
from django.db import Error as DatabaseError
from django.db import connection, transaction
from redis import Redis

from events.operations import availability
from events.tests.helpers import due_since, published
from events.tests.servers import full, read_only_database, replica, unable_to_save
from events.tests.waiting import until
from ordersite import health
from rest.limits.counters import SharedCounters, Slot
from testing.api import admin_client, body, check_problem, client_of, make_user
from testing.processes import COMPLETE, run_python
from testing.shop import order_created
from users.models import User

LIVE, READY = "/health/live", "/health/ready"
WITHIN = 2.5  # seconds
HEALTHY = {"status": "ok", "database": "ok", "broker": "ok", "deliveries": "ok", "oldest_due_seconds": 0}

# A whole site whose database refuses connections. It prints what some requests get.
ASK = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "ordersite.settings"
import django
django.setup()
from django.test import Client
client, answers = Client(headers={"X-Request-ID": "here"}), {}
for method, path in [
    ("get", "/health/live"), ("get", "/health/ready"), ("get", "/api/v1/products"), ("post", "/api/v1/users"),
    ("get", "/api/v1/orders"), ("get", "/metrics"), ("get", "/nothing"),
]:
    given = {"email": "ada@example.com", "password": "correct horse battery"}
    answer = getattr(client, method)(
        path, given if method == "post" else None, content_type="application/json",
        headers={"Authorization": "Bearer x"}
    )
    answers[path] = [answer.status_code, dict(answer.headers), answer.json()]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def without_database() -> Any:
    done = run_python("-c", ASK, **COMPLETE, ALLOWED_HOSTS="testserver", STATIC_ROOT="/nonexistent")
    assert done.returncode == 0, done.stderr
    assert "secret" not in done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", [READY, "/metrics", "/api/v1/products", "/api/v1/users", "/api/v1/orders"])
def test_while_the_database_is_away_the_answer_is_503_and_says_when_to_try_again(
    without_database: Any, path: str
) -> None:
    status, headers, problem = without_database[path]
    assert (status, headers["Content-Type"]) == (503, "application/problem+json")
    assert int(headers["Retry-After"]) > 0
    assert (problem["status"], problem["code"], problem["request_id"]) == (503, "database_unavailable", "here")
    assert headers["X-Request-ID"] == "here"
    assert not any(word in json.dumps(problem) for word in ("127.0.0.1", "connection", "psycopg", "SELECT"))


def test_a_process_without_a_database_is_alive(without_database: Any) -> None:
    assert without_database[LIVE][0] == 200
    assert without_database["/nothing"][0] == 404


@pytest.mark.django_db
def test_live_and_ready_ask_for_no_token() -> None:
    assert body(client_of().get(LIVE)) == {"status": "ok"}
    assert body(client_of().get(READY)) == HEALTHY


@pytest.mark.django_db
def test_a_dead_token_does_not_make_it_ill() -> None:
    assert client_of().get(READY, headers={"Authorization": "Bearer dead"}).status_code == 200


def test_live_asks_nobody() -> None:
    """Without the mark for it, any query would fail."""
    assert client_of().get(LIVE).status_code == 200


@pytest.mark.django_db
def test_a_broker_that_refuses_is_told_and_does_not_matter(broker_at: Callable[[str], None]) -> None:
    broker_at(COMPLETE["BROKER_URL"])
    answer = client_of().get(READY)
    assert answer.status_code == 200
    assert body(answer) == HEALTHY | {"broker": "down"}


@pytest.mark.django_db
@pytest.mark.parametrize("accepts", [False, True])
def test_a_frozen_broker_is_told_in_time(broker_at: Callable[[str], None], accepts: bool) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8 if accepts else 0) as frozen:
        broker_at(f"redis://127.0.0.1:{frozen.getsockname()[1]}/0")
        started = time.monotonic()
        answer = client_of().get(READY)
        assert time.monotonic() - started < WITHIN
    assert body(answer)["broker"] == "down"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "told"), [(full, "OutOfMemory"), (replica, "read only replica"), (unable_to_save, "MISCONF")]
)
def test_a_broker_that_takes_no_messages_is_down(
    fault: Callable[[Any], AbstractContextManager[None]], told: str
) -> None:
    with Redis.from_url(site.BROKER_URL, decode_responses=True) as broker:
        with fault(broker):
            answer = client_of().get(READY)
            assert told in availability.broker_refusal()
            counters = SharedCounters()
            assert [counters.add([Slot(f"ratelimit:{uuid4()}", 60)]) for _ in range(2)] == [[1], [1]]
            assert counters.away
        until("counters are shared again", lambda: not counters.away)
        assert (answer.status_code, body(answer)["broker"]) == (200, "down")
        assert body(client_of().get(READY)) == HEALTHY


@pytest.mark.django_db
def test_a_broker_that_is_no_broker_is_down(broker_at: Callable[[str], None]) -> None:
    broker_at("redis://broker.invalid:6379/0")
    assert body(client_of().get(READY))["broker"] == "down"


@pytest.mark.django_db(transaction=True)
def test_deliveries_that_do_not_move_are_told_and_do_not_matter() -> None:
    published(order_created())
    due_since(40)
    assert (told := body(client_of().get(READY)))["deliveries"] == "ok"
    assert 40 <= told["oldest_due_seconds"] < 50
    due_since(61)
    answer = client_of().get(READY)
    assert answer.status_code == 200
    assert (told := body(answer))["deliveries"] == "stuck"
    assert 61 <= told["oldest_due_seconds"] < 71


@pytest.mark.parametrize("path", [LIVE, READY])
def test_health_is_only_read(path: str) -> None:
    check_problem(client_of().post(path, {}), 405, "method_not_allowed")


@pytest.mark.django_db(transaction=True)
def test_before_its_tables_are_there_the_site_is_not_ready() -> None:
    rename = "ALTER TABLE events_delivery RENAME TO events_gone"
    with connection.cursor() as cursor:
        cursor.execute(rename)
        try:
            answer = client_of().get(READY)
        finally:
            cursor.execute("ALTER TABLE events_gone RENAME TO events_delivery")
    assert "migrate" in check_problem(answer, 503, "database_unavailable")["detail"]
    assert int(answer["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
def test_a_database_that_takes_no_writes_is_not_ready_and_the_answer_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, browser = client_of(make_user("ada", staff=True)), admin_client(User.objects.get())
    browser.raise_request_exception = False
    with read_only_database():
        answer = client.get(READY)
        assert check_problem(answer, 503, "database_unavailable")["detail"] == availability.READ_ONLY
        assert int(answer["Retry-After"]) > 0
        for refused in (client.delete("/api/v1/auth/tokens"), browser.post("/admin/logout/")):
            assert "read-only" in check_problem(refused, 503, "database_unavailable")["detail"]
            assert int(refused["Retry-After"]) > 0
    assert client.get(READY).status_code == 200
    assert client.delete("/api/v1/auth/tokens").status_code == 204
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [LIVE, READY, f"{READY}/"])
def test_health_is_told_whatever_host_is_asked_for(path: str) -> None:
    assert client_of().get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
    check_problem(client_of().get("/api/v1/products", headers={"Host": "10.1.2.3"}), 400, "bad_request")


@contextmanager
def deliveries_locked() -> Iterator[None]:
    """Have whoever reads the deliveries wait until the block ends."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE events_delivery IN ACCESS EXCLUSIVE MODE")
        yield


def looks() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "look"]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_told_in_time_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time-out of PostgreSQL's comes to help: the look is cut, and the next one begins anew."""
    monkeypatch.setattr(health, "STATEMENT_TIMEOUT", 60_000)
    with deliveries_locked(), ThreadPoolExecutor(20) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda _: health.readiness(), range(20)))
        assert time.monotonic() - started < WITHIN
        assert {status for status, _ in answers} == {503}
        assert health.NO_ANSWER in {told["detail"] for _, told in answers}
        until("the look has ended, and its connection", lambda: not looks())
        assert client_of().get(LIVE).status_code == 200
    assert health.readiness()[0] == 200


@pytest.mark.django_db(transaction=True)
def test_it_asks_on_a_connection_of_its_own() -> None:
    with transaction.atomic():
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        assert health.readiness()[0] == 200
        transaction.set_rollback(True)


SILENT = """
import json, os, time
os.environ["DJANGO_SETTINGS_MODULE"] = "ordersite.settings"
import django
django.setup()
from ordersite.health import readiness
began = time.monotonic()
status, body = readiness()
print(json.dumps([status, body["detail"], time.monotonic() - began]))
"""


def test_a_server_that_takes_connections_and_says_nothing_is_told_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://nobody:secret@127.0.0.1:{silent.getsockname()[1]}/nothing"
        done = run_python("-c", SILENT, **(COMPLETE | {"DATABASE_URL": url}))
    assert done.returncode == 0, done.stderr
    status, detail, seconds = json.loads(done.stdout)
    assert (status, detail) == (503, health.NO_ANSWER)
    assert seconds < WITHIN
