import json
import socket
import time
from typing import Any

import pytest
from django.db import connection

from events.tests.helpers import due_since, order_created, published
from ordersite.tests.subprocesses import COMPLETE, run_python
from users.tests.api import body, check_problem, client_of

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
def test_a_broker_that_refuses_is_told_and_does_not_matter(settings: Any) -> None:
    settings.BROKER_URL = COMPLETE["BROKER_URL"]
    answer = client_of().get(READY)
    assert answer.status_code == 200
    assert body(answer) == HEALTHY | {"broker": "down"}


@pytest.mark.django_db
@pytest.mark.parametrize("accepts", [False, True])
def test_a_frozen_broker_is_told_in_time(settings: Any, accepts: bool) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8 if accepts else 0) as frozen:
        settings.BROKER_URL = f"redis://127.0.0.1:{frozen.getsockname()[1]}/0"
        started = time.monotonic()
        answer = client_of().get(READY)
        assert time.monotonic() - started < WITHIN
    assert body(answer)["broker"] == "down"


@pytest.mark.django_db
def test_a_broker_that_is_no_broker_is_down(settings: Any) -> None:
    settings.BROKER_URL = "redis://broker.invalid:6379/0"
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


@pytest.mark.django_db
def test_before_its_tables_are_there_the_site_is_not_ready() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_delivery RENAME TO events_gone")
    answer = client_of().get(READY)
    assert "migrate" in check_problem(answer, 503, "database_unavailable")["detail"]
    assert int(answer["Retry-After"]) > 0
