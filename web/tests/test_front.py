"""What the front makes of a request before Django sees it."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from rest import refused
from testing.api import check_problem
from web.environ import build_environ
from web.pool import Pool


def environ(*headers: tuple[str, str], body: bytes = b"", **changed: str) -> dict[str, Any]:
    scope: Any = SimpleNamespace(
        method="POST",
        path="/é",
        query_string="a=%20",
        server="[::1]:8000",
        client="[2001:db8::1]:50000",
        http_version="1.1",
        scheme="http",
        authority=changed.get("authority"),
    )
    return build_environ(scope, headers, body)


def test_a_header_with_an_underscore_is_dropped() -> None:
    built = environ(("x_forwarded_for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2"), ("content_length", "5"))
    assert built["HTTP_X_FORWARDED_FOR"] == "192.0.2.2"
    assert "CONTENT_LENGTH" not in built


def test_a_header_that_comes_twice_is_one() -> None:
    built = environ(
        ("accept", "a/b"), ("accept", "c/d"), ("cookie", "a=1"), ("cookie", "b=2"), ("host", "a"), ("host", "b")
    )
    assert (built["HTTP_ACCEPT"], built["HTTP_COOKIE"], built["HTTP_HOST"]) == ("a/b,c/d", "a=1; b=2", "a,b")


def test_a_host_in_the_request_line_wins_over_the_header() -> None:
    assert environ(("host", "shop.example.com"), authority="other.example.com")["HTTP_HOST"] == "other.example.com"


def test_addresses_paths_and_bodies_are_as_wsgi_wants_them() -> None:
    built = environ(body=b"{}")
    assert (built["REMOTE_ADDR"], built["SERVER_NAME"], built["SERVER_PORT"]) == ("2001:db8::1", "::1", "8000")
    assert built["PATH_INFO"].encode("latin-1").decode() == "/é"
    assert (built["CONTENT_LENGTH"], built["wsgi.input"].read()) == ("2", b"{}")


@pytest.mark.parametrize(
    ("why", "status", "code"),
    [
        (refused.BROKEN_OFF, 400, "bad_request"),
        (refused.TOO_SLOW, 408, "request_timeout"),
        (refused.TOO_LARGE, 413, "body_too_large"),
        (refused.OVERLOADED, 503, "overloaded"),
    ],
)
def test_what_the_front_refuses_is_a_problem_with_a_request_id(why: str, status: int, code: str) -> None:
    answer = Client().get("/api/v1/products", **{refused.REFUSED: why})  # type: ignore[arg-type]
    check_problem(answer, status, code)
    assert answer["X-Request-ID"]
    assert (code == "overloaded") == ("Retry-After" in answer)


def test_work_that_nobody_waits_for_any_more_is_not_begun() -> None:
    begun: list[str] = []
    release = threading.Event()

    async def ask() -> None:
        pool = Pool("test", 1, asyncio.get_running_loop())
        first = asyncio.ensure_future(pool.run(lambda: release.wait(10)))
        second = asyncio.ensure_future(pool.run(lambda: begun.append("second")))
        await asyncio.sleep(0)  # both are in the queue
        second.cancel()
        release.set()
        assert await first
        await pool.run(lambda: begun.append("third"))

    asyncio.run(ask())
    assert begun == ["third"]


def test_what_work_raises_reaches_who_waits() -> None:
    async def ask() -> None:
        await Pool("test", 1, asyncio.get_running_loop()).run(lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask())
