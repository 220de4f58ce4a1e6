"""No secret stands in a log, whatever goes wrong."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as site
from django.db import connection

from inventory.tests.shop import make_product
from orders.tests.placing import items
from ordersite.tests.subprocesses import COMPLETE, run_python
from users.models import User
from users.tests.api import body, client_of

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
    assert "Unauthorized" in told
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
