"""What a line of the log is like, and that nothing private stands in one, whatever goes wrong."""

import json
import logging
import sys
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as site
from django.db import OperationalError, connection

from events.redaction import HIDDEN
from telemetry.logs import LONGEST, JsonLines, OnlyFailures, OnlyPlainTasks, TextLines
from testing.api import body, client_of, make_user
from testing.processes import COMPLETE, run_python
from testing.shop import items, make_product
from users.models import User

USERS, TOKEN, ORDERS, ADMIN = "/api/v1/users", "/api/v1/auth/token", "/api/v1/orders", "/admin/login/"
PASSWORD, WRONG = "correct horse battery", "incorrect donkey battery"
NO_SERVERS = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "ordersite.settings"
import django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False, headers={"Authorization": "Bearer my-token"})
given = {"email": "ada@example.com", "password": "my-password"}
for path in ("/api/v1/users", "/api/v1/auth/token", "/admin/login/", "/api/v1/orders"):
    client.post(path, given, content_type="application/json")
    client.post(path, {"username": "ada", "password": "my-password"})
"""


def test_without_its_servers_the_site_logs_no_secret() -> None:
    urls = {name: url.replace("secret", "server-secret") for name, url in COMPLETE.items()}
    done = run_python(
        "-c", NO_SERVERS, **urls, ALLOWED_HOSTS="testserver", STATIC_ROOT="/nonexistent", LOG_LEVEL="DEBUG"
    )
    assert done.returncode == 0, done.stderr
    assert "database away" in done.stderr
    assert "rate limits count per process" in done.stderr
    for secret in ("server-secret", "my-token", "my-password", COMPLETE["SECRET_KEY"]):
        assert secret not in done.stdout + done.stderr


@pytest.mark.django_db
def test_no_password_and_no_token_is_logged(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    caplog.set_level(logging.DEBUG)
    make_product("CUP")
    anyone, email = client_of(), f"{uuid4()}@example.com"
    credentials = {"email": email, "password": PASSWORD}
    assert anyone.post(USERS, credentials).status_code == 201
    token = body(anyone.post(TOKEN, credentials))["token"]
    ada = {"Authorization": f"Bearer {token}"}
    assert anyone.post(ORDERS, items(CUP=1), headers=ada).status_code == 201
    hashed = User.objects.get(email=email).password
    go_wrong(anyone, credentials, ada)
    told = caplog.text
    assert "POST /api/v1/auth/token: 401" in told
    assert "unexpected error" in told
    for secret in (PASSWORD, WRONG, token, hashed, site.SECRET_KEY):
        assert secret not in told


def go_wrong(anyone: Any, credentials: dict[str, str], ada: dict[str, str]) -> None:
    """Have every kind of error answered with secrets in the request."""
    wrong = credentials | {"password": WRONG}
    assert anyone.post(TOKEN, wrong).status_code == 401
    assert anyone.post(USERS, credentials).status_code == 400
    assert anyone.post(TOKEN, f'{{"password": "{PASSWORD}', content_type="application/json").status_code == 400
    assert anyone.post(TOKEN, f"password={PASSWORD}", content_type="text/plain").status_code == 415
    assert anyone.put(TOKEN, wrong).status_code == 405
    assert anyone.post("/nothing", wrong).status_code == 404
    assert anyone.post(ADMIN, {"username": credentials["email"], "password": PASSWORD}).status_code == 403
    assert anyone.get(f"{ORDERS}?{'&'.join(f'{name}={value}' for name, value in wrong.items())}").status_code == 401
    assert anyone.get(ORDERS, headers={"Authorization": ada["Authorization"] + "x"}).status_code == 401
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE events_event RENAME TO events_gone")
        cursor.execute("ALTER TABLE knox_authtoken ADD CHECK (token_key = '') NOT VALID")
    anyone.raise_request_exception = False
    assert anyone.post(USERS, credentials | {"email": f"{uuid4()}@example.com"}).status_code == 500
    assert anyone.post(TOKEN, credentials).status_code == 500


def record(message: str = "told", *args: Any, error: Exception | None = None, **extra: Any) -> logging.LogRecord:
    raised = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("a.logger", logging.INFO, __file__, 1, message, args, raised)
    vars(made).update(extra)
    return made


def line(*given: Any, **more: Any) -> dict[str, Any]:
    written = JsonLines("web").format(record(*given, **more))
    assert "\n" not in written
    read: dict[str, Any] = json.loads(written)
    return read


def test_a_line_of_json_has_what_each_has_and_what_was_given() -> None:
    order = uuid4()
    told = line("%d told", 2, request_id="r-1", attempt=1, subject=order, request_ids=["a", "b"])
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "INFO",
        "logger": "a.logger",
        "message": "2 told",
        "process": "web",
        "request_id": "r-1",
        "attempt": 1,
        "subject": str(order),
        "request_ids": ["a", "b"],
    }


def test_a_line_outside_of_any_request_says_so() -> None:
    assert line()["request_id"] == "-"


def test_an_exception_is_one_text_in_its_line() -> None:
    text = line(error=ValueError("what\nwas"))["exception"]
    assert text == "ValueError: what\nwas"


def test_what_is_no_plain_value_is_left_out() -> None:
    assert "request" not in line(request=object(), data={"password": "x"})


@pytest.mark.parametrize("formatter", [JsonLines("web"), TextLines()])
def test_nothing_private_stands_in_any_part_of_a_line(formatter: logging.Formatter) -> None:
    private = "ada@example.com has password=hunter2"
    written = formatter.format(record("%s", private, error=ValueError(private), given=private))
    assert HIDDEN in written
    assert "ada@" not in written
    assert "hunter2" not in written


def test_nothing_private_stands_in_a_list() -> None:
    assert line(request_ids=["a", "ada@example.com"])["request_ids"] == ["a", HIDDEN]


def test_a_secret_at_the_cut_is_hidden_too() -> None:
    for long in ("x" * (LONGEST - 4) + " password=hunter2", "password=hunter2 " + "y" * (LONGEST - 5)):
        assert "unter2" not in json.dumps(line(long, error=ValueError(long)))


def test_what_is_no_number_in_json_is_a_text() -> None:
    assert line(share=float("nan"), count=2)["share"] == "nan"
    assert line(shares=[float("inf"), 2.0])["shares"] == "[inf, 2.0]"


def test_a_message_whose_arguments_do_not_fit_is_told_without_them() -> None:
    assert line("%d told", "ada@example.com")["message"] == "%d told (its arguments do not fit: TypeError)"


def test_a_line_is_bounded() -> None:
    assert len(JsonLines("web").format(record("x" * 1_000_000, error=ValueError("y" * 1_000_000)))) < 50_000


def test_celery_s_own_line_is_kept_of_plain_tasks_and_of_failures() -> None:
    told = {"name": "inventory.reserve_items", "id": "1"}
    kept = OnlyPlainTasks().filter
    assert not kept(record("Task %(name)s[%(id)s] succeeded", told))
    assert kept(record("Task %(name)s[%(id)s] succeeded", told | {"name": "inventory.check_stock"}))
    assert kept(record("Task %(name)s[%(id)s] raised unexpected", told, levelno=logging.ERROR))
    assert kept(record("Process cleanup failed: %r", "x"))


def test_django_s_own_line_is_kept_of_tracebacks() -> None:
    kept = OnlyFailures().filter
    assert not kept(record("Not Found: %s", "/x", levelno=logging.WARNING))
    assert not kept(record("Service Unavailable: %s", "/x", levelno=logging.ERROR))
    assert kept(record("Internal Server Error: %s", "/x", levelno=logging.ERROR, error=ValueError()))


@pytest.mark.django_db
def test_each_request_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "telemetry.request_line")
    ada = make_user("ada")
    client = client_of(ada)
    client.get("/api/v1/products?search=abc")
    client.get("/nothing%0Ahere")
    client.get("/health/live")
    asked, nowhere, probe = (vars(r) for r in caplog.records if r.name == "telemetry.request_line")
    assert (asked["method"], asked["route"], asked["status"]) == ("GET", "/api/v1/products", 200)
    assert asked["user_id"] == ada.pk
    assert 0 < asked["milliseconds"] < 10_000
    assert asked["message"].startswith("GET /api/v1/products: 200 after ")
    assert (nowhere["route"], nowhere["status"], nowhere["user_id"]) == (None, 404, None)
    assert nowhere["message"].startswith("GET /nothing\\nhere: 404 after ")
    assert (asked["levelname"], probe["levelname"]) == ("INFO", "DEBUG")


@pytest.mark.parametrize("formatter", [JsonLines("web"), TextLines()])
def test_a_database_that_is_away_is_a_line_and_no_traceback(formatter: logging.Formatter) -> None:
    try:
        raise OperationalError("connection refused\n\tIs the server running?\n")
    except OperationalError:
        record = logging.LogRecord("any", logging.ERROR, "", 1, "it failed", None, sys.exc_info())
    told = formatter.format(record)
    assert "OperationalError: connection refused Is the server running?" in told
    assert "Traceback" not in told
