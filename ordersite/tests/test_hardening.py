"""What keeps a site from being used against its people."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from ordersite import headers
from ordersite.celery import app as celery_app
from testing.api import admin_client, client_of
from testing.processes import COMPLETE, run_python
from users.models import User

INSECURE = "django-insecure-" + "0123456789" * 5


def check(**environment: str) -> Any:
    return run_python("manage.py", "check", "--deploy", "--fail-level", "WARNING", **(COMPLETE | environment))


@pytest.mark.parametrize("environment", [{}, {"BEHIND_TLS_PROXY": "1", "TRUSTED_PROXIES": "10.0.0.1"}])
def test_django_finds_nothing_wrong_with_a_production_site(environment: dict[str, str]) -> None:
    done = check(**environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("environment", [{"HSTS_SECONDS": "0"}, {"INSECURE_COOKIES": "1"}, {"DEBUG": "1"}])
def test_what_is_given_up_is_told(environment: dict[str, str]) -> None:
    assert "security.W" in check(**environment).stderr


@pytest.mark.parametrize("key", ["changeme", "x" * 60, "abcd" * 20, "0123456789" * 4, INSECURE])
@pytest.mark.parametrize("program", ["-c import,ordersite.settings", "manage.py check"])
def test_nothing_starts_with_a_key_that_can_be_guessed(key: str, program: str) -> None:
    done = run_python(*(word.replace(",", " ") for word in program.split()), **(COMPLETE | {"SECRET_KEY": key}))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("ordersite: SECRET_KEY is too weak")
    assert "secrets.token_urlsafe" in line
    assert key not in line


@pytest.mark.parametrize("name", ["EMBEDDED", "DEBUG"])
def test_on_a_machine_of_one_s_own_any_key_will_do(name: str) -> None:
    done = run_python("-c", "import ordersite.settings", **(COMPLETE | {"SECRET_KEY": "x", name: "1"}))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/products", "/api/v1/orders", "/nothing", "/health/live", "/metrics"])
def test_data_may_do_nothing_in_a_browser(path: str) -> None:
    answer = client_of().get(path)
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "geolocation=()" in answer["Permissions-Policy"]
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in answer  # it counts over HTTPS only


@pytest.mark.django_db
def test_over_https_browsers_are_told_to_come_by_nothing_else(settings: Any) -> None:
    answer = client_of().get("/health/live", secure=True)
    assert answer["Strict-Transport-Security"] == "max-age=2592000"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert "Strict-Transport-Security" in client_of().get("/health/live", headers={"X-Forwarded-Proto": "https"})


@pytest.mark.django_db
def test_no_page_of_the_admin_needs_a_script_that_stands_in_it() -> None:
    browser = admin_client(User.objects.create_superuser("boss@example.com"))
    pages = [
        "",
        "password_change/",
        "sales/",
        "reports/",
        *(f"{path}{end}" for path in tables() for end in ("", "add/")),
    ]
    answers = [browser.get(f"/admin/{page}") for page in pages] + [Client().get("/admin/login/")]
    shown = [answer for answer in answers if answer.status_code == 200]
    assert len(shown) > 20
    for answer in shown:
        assert answer["Content-Security-Policy"] == headers.ADMIN
        text = answer.content.decode()
        assert not re.search(r"<[^>]* on[a-z]+=|javascript:", text)
        assert all("src=" in part or "application/json" in part for part in openings(text, "<script"))


def tables() -> list[str]:
    return [f"{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry]


def openings(text: str, tag: str) -> list[str]:
    """What stands in each opening tag of a kind."""
    return [part.partition(">")[0] for part in text.split(tag)[1:]]


def test_the_policy_of_pages_lets_no_script_in_but_ours() -> None:
    directives = {name: sources for name, *sources in (part.split() for part in headers.PAGE.split(";"))}
    assert directives["script-src"] == ["'self'"]
    assert directives["default-src"] == directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    assert [name for name, sources in directives.items() if "'unsafe-inline'" in sources] == ["style-src-attr"]
    assert "unsafe-eval" not in headers.PAGE


@pytest.mark.django_db
def test_only_pages_of_the_admin_may_do_what_unfold_needs() -> None:
    differs = set(headers.ADMIN.split("; ")) - set(headers.PAGE.split("; "))
    assert differs == {"script-src 'self' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'"}
    for path, policy in (
        ("/admin/login/", headers.ADMIN),
        ("/api/docs", headers.PAGE),
        ("/api/docs/problems", headers.PAGE),
        ("/admin", headers.PAGE),
    ):
        assert Client().get(path)["Content-Security-Policy"] == policy, path


def test_celery_takes_and_sends_json_only() -> None:
    assert celery_app.conf.accept_content == ["json"]
    assert celery_app.conf.result_accept_content in (None, ["json"])
    assert celery_app.conf.task_serializer == celery_app.conf.result_serializer == "json"
