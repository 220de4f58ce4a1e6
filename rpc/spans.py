"""The spans of calls (docs/traces.md), named by OpenTelemetry's conventions for RPC."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from rpc.call_log import HEALTH
from telemetry import tracing

TRACEPARENT = "traceparent"

_tracer = trace.get_tracer("ordersite")
_w3c = TraceContextTextMapPropagator()


def attributes(name: str) -> dict[str, str]:
    """Return what both sides say of a call of this method (package.Service/Method)."""
    return {"rpc.system.name": "grpc", "rpc.method": name}


@contextmanager
def serving(method: str, request_id: str, traceparent: str) -> Iterator[Span]:
    """Do a call in a span, under the caller's own where it sent one.

    Without traces, and for health checks, it is one that does nothing: nobody looks for those.
    """
    if not tracing.is_on() or method.startswith(HEALTH):
        yield INVALID_SPAN
        return
    name = method.lstrip("/")
    with _tracer.start_as_current_span(
        name,
        context=_w3c.extract({TRACEPARENT: traceparent}),
        kind=SpanKind.SERVER,
        attributes={**attributes(name), "ordersite.request_id": request_id},
        record_exception=False,  # its text may hold what is nobody's business
        set_status_on_exception=False,
    ) as span:
        yield span


def record_end(span: Span, code: grpc.StatusCode, *, failed: bool) -> None:
    """Say how a call ended. Of methods that are not there no name is kept: strangers make them up."""
    span.set_attribute("rpc.response.status_code", code.name)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        span.update_name("grpc")
        span.set_attribute("rpc.method", "_OTHER")
    if failed:
        span.set_attribute("error.type", code.name)
        span.set_status(StatusCode.ERROR)
