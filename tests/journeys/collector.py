"""A collector of traces that really receives, by OTLP over HTTP, and keeps what it was sent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Span:
    """A span as it came in; ids in hexadecimal digits, times in nanoseconds."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    failed: bool
    process: str
    attributes: dict[str, str]


class Collector:
    """What was received so far."""

    def __init__(self, port: int) -> None:
        self.spans: list[Span] = []
        self.variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "200"}

    def of(self, trace: str) -> Sequence[Span]:
        return [span for span in list(self.spans) if span.trace == trace]

    def trace_of(self, request_id: str) -> str:
        """Return the id of the trace of a request, empty until it has come."""
        found = {s.trace for s in list(self.spans) if s.attributes.get("ordersite.request_id") == request_id}
        return found.pop() if found else ""

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            process = _texts(resource.resource.attributes)["ordersite.process"]
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        name=span.name,
                        kind=span.kind,
                        start=span.start_time_unix_nano,
                        end=span.end_time_unix_nano,
                        failed=span.status.code == span.status.STATUS_CODE_ERROR,
                        process=process,
                        attributes=_texts(span.attributes),
                    )
                    for span in scope.spans
                ]


def _texts(attributes: Sequence[KeyValue]) -> dict[str, str]:
    return {pair.key: pair.value.string_value or str(pair.value.int_value) for pair in attributes}


@contextmanager
def run_collector() -> Iterator[Collector]:
    """Receive until the block ends."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        collector = Collector(server.server_port)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
