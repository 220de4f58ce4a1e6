"""When spans are sent, and that nothing waits for who receives them. Whole traces: tests/journeys/test_traces.py."""

import socket
import time

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.test import RequestFactory

from events.redaction import HIDDEN
from telemetry import tracing
from testing.processes import COMPLETE, run_python

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
# A web process: its requests, and how long they took; then its end.
WEB = """
import os, sys, time
from ordersite.wsgi import application
from django.test import Client
client = Client(headers={"host": "localhost"})
client.get("/nothing")
began = time.monotonic()
for _ in range(20):
    client.get("/nothing")
print(time.monotonic() - began, "opentelemetry.sdk.trace" in sys.modules, time.monotonic())
"""


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
    ],
)
def test_traces_are_on_where_the_standard_variables_say_so(
    environment: dict[str, str], on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tracing.is_on() is on


def test_an_exporter_that_is_not_here_ends_the_process_with_one_clear_line() -> None:
    done = run_python("manage.py", "relay", **COMPLETE, OTEL_TRACES_EXPORTER="zipkin")
    assert done.returncode == 1
    assert done.stderr == "ordersite: OTEL_TRACES_EXPORTER=zipkin is not known here: it may be otlp or none.\n"


def test_without_traces_no_request_passes_the_middleware() -> None:
    with pytest.raises(MiddlewareNotUsed):
        tracing.TracingMiddleware(lambda request: HttpResponse())


def web(**environment: str) -> tuple[float, bool, float]:
    """Run a web process; return the seconds of its requests, whether the SDK was loaded, and the seconds of its end."""
    done = run_python("-c", WEB, **COMPLETE, STATIC_ROOT="/nonexistent", **environment)
    assert done.returncode == 0, done.stderr
    seconds, loaded, over = done.stdout.split()
    return float(seconds), loaded == "True", time.monotonic() - float(over)  # one clock for all processes


def test_without_traces_what_makes_spans_is_not_even_loaded() -> None:
    assert web()[1] is False


def test_a_collector_that_never_answers_delays_no_request_and_the_end_by_two_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        seconds, loaded, end = web(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.getsockname()[1]}", OTEL_BSP_SCHEDULE_DELAY="10"
        )
        server.settimeout(1)
        server.accept()[0].close()  # it was asked
    assert loaded
    assert seconds < 2
    assert tracing.FLUSH <= end < 8  # the SDK's own end waits for each export: 10 s


def test_no_address_in_a_path_is_told() -> None:
    told = tracing._request_attributes(RequestFactory().get("/api/v1/users/ada%40example.com"))
    assert told["url.path"] == f"/api/v1/users/{HIDDEN}"
