"""Traces by OpenTelemetry: off, and its SDK not even imported, unless its variables ask for them (docs/traces.md).

Each process that has spans calls set_up() once, after it was forked: a thread of the SDK's sends them.
"""

import os
import threading
from multiprocessing.util import Finalize
from typing import Any

from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from events.redaction import hide_private
from telemetry.request_id import GetResponse
from telemetry.request_line import LONGEST_PATH, is_probe, route_of

FLUSH = 2.0  # seconds that a process which ends may take to send its last spans
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

_tracer = trace.get_tracer("ordersite")
_w3c = TraceContextTextMapPropagator()


def is_on() -> bool:
    """Tell whether the environment asks for traces. Ends the process where it asks for what is not built in."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "")
    if exporter not in ("", "none", "otlp"):
        raise SystemExit(f"ordersite: OTEL_TRACES_EXPORTER={exporter} is not known here: it may be otlp or none.")
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return exporter == "otlp" or (exporter != "none" and any(os.environ.get(name) for name in endpoints))


def set_up() -> None:
    """Have this process send its spans, if the environment asks for that.

    The SDK reads the other variables itself. What it cannot send in time it drops: no work ever waits for it.
    """
    if not is_on():
        return
    # Here, so that who wants no traces does not pay for them.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "ordersite"}
    process = {"ordersite.process": os.environ.get("PROCESS_KIND", "")}
    provider = TracerProvider(resource=Resource.create(name | process), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    Finalize(None, flush, exitpriority=0)  # atexit would not do: the server's forked processes end without it


def flush() -> None:
    """Send the spans that are left, for FLUSH seconds at most: the SDK's own end waits up to half a minute."""
    provider: Any = trace.get_tracer_provider()
    if is_on():
        thread = threading.Thread(target=provider.force_flush, daemon=True)
        thread.start()
        thread.join(FLUSH)


class TracingMiddleware:
    """Gives each request a span, under the caller's own where it sent a `traceparent`. Not there without traces."""

    def __init__(self, get_response: GetResponse) -> None:
        if not is_on():
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in a span of the request's, except to a probe: those come by the minute, and nobody looks for them."""
        if is_probe(request):
            return self._get_response(request)
        with _tracer.start_as_current_span(
            _method(request),
            context=_w3c.extract(request.headers),
            kind=SpanKind.SERVER,
            attributes=_request_attributes(request),
        ) as span:
            response = self._get_response(request)
            span.set_attribute("http.response.status_code", response.status_code)
            span.set_attribute("ordersite.request_id", response.get("X-Request-ID", ""))
            if route := route_of(request):
                span.set_attribute("http.route", route)
                span.update_name(f"{_method(request)} {route}")
            if response.status_code >= 500:
                span.set_attribute("error.type", str(response.status_code))
                span.set_status(StatusCode.ERROR)
        return response


def _method(request: HttpRequest) -> str:
    """Return the method as a span's name may have it: of those that a client makes up there is no end."""
    return request.method if request.method in METHODS else "HTTP"


def _request_attributes(request: HttpRequest) -> dict[str, str]:
    """Return what the conventions for HTTP ask of a span at its beginning, but for the query: it may hold secrets."""
    method = request.method or ""
    return {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.path": hide_private(request.path)[:LONGEST_PATH],
        "url.scheme": request.scheme or "",
    }
