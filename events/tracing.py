"""The bus's part in traces: the context that goes with each event, and the spans of its deliveries and mails.

It needs OpenTelemetry's API alone, which does nothing until telemetry/tracing.py has set up the SDK. A trace begins
with a request that is traced; what follows from no such request has no context, and gets no spans.

A context is text, as W3C's header `traceparent` and CloudEvents' extension of that name write it; "" is none.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from celery.exceptions import Retry
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SEND, PROCESS = "send", "process"  # operations, in the words of OpenTelemetry's conventions for messaging
_KINDS = {SEND: SpanKind.PRODUCER, PROCESS: SpanKind.CONSUMER}

_tracer = trace.get_tracer("events")
_w3c = TraceContextTextMapPropagator()


class Traced(Protocol):
    """A delivery, with the context of what it follows from."""

    @property
    def id(self) -> UUID: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def traceparent(self) -> str: ...


def current() -> str:
    """Return the context of the work at hand."""
    return context_of(trace.get_current_span())


def context_of(span: Span) -> str:
    """Return the context of what follows from a span."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def trace_id() -> str:
    """Return the id of the trace that the work at hand belongs to, "" for none."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


@contextmanager
def under(traceparent: str) -> Iterator[None]:
    """Do the enclosed work in this context; without one, in that which is there."""
    if not traceparent:
        yield
        return
    token = attach(_w3c.extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        detach(token)


def begin(operation: str, handler: str, delivery: Traced, parent: str = "") -> Span:
    """Begin the span of a delivery's operation, SEND or PROCESS, under `parent` or else the event's own context.

    The caller ends it. Where there is no context, it is one that does nothing.
    """
    context = parent or delivery.traceparent
    if not context:
        return INVALID_SPAN
    attributes = {
        "messaging.system": "celery",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": handler,
        "messaging.message.id": str(delivery.id),
        "messaging.message.conversation_id": delivery.correlation_id,
    }
    return _tracer.start_span(
        f"{operation} {handler}",
        context=_w3c.extract({"traceparent": context}),
        kind=_KINDS[operation],
        attributes=attributes,
    )


@contextmanager
def ended(*spans: Span) -> Iterator[None]:
    """Do the enclosed work, and end these spans with it, as failed where it raises."""
    try:
        yield
    except BaseException as error:
        for span in spans:
            fail(span, error)
        raise
    finally:
        for span in spans:
            span.end()


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed. Only the error's type is told: its text may hold what is nobody's business."""
    kind = type(error.exc if isinstance(error, Retry) and error.exc else error)
    span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
    span.set_status(StatusCode.ERROR)


@contextmanager
def calling(name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
    """Do the enclosed work, a call of another system, in a span of its own, where there is a trace.

    What is sent along is then the context of that span: current().
    """
    if not current():
        yield
        return
    span = _tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
    with under(context_of(span)), ended(span):
        yield
