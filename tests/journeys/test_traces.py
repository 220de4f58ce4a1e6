"""What a collector sees of orders that go through the running system."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from events.tests.waiting import until
from rpc.stubs.orders_v1_pb2 import GetOrderRequest
from rpc.stubs.orders_v1_pb2_grpc import OrderServiceStub
from tests.journeys.client import Answer, Api, call
from tests.journeys.collector import Collector, Span
from tests.journeys.system import GRPC_TOKEN, System

Health: Any = HealthStub  # its types lack the methods, which its maker adds
SKU = "TEA-SENCHA-100"
POST = "POST /api/v1/orders"
# Each span of a confirmed order, and the one that it follows from.
WHOLE = {
    POST: {""},
    "send inventory.reserve_items": {POST},
    "process inventory.reserve_items": {"send inventory.reserve_items"},
    "send notifications.send_order_received": {POST},
    "process notifications.send_order_received": {"send notifications.send_order_received"},
    "send orders.confirm": {"process inventory.reserve_items"},
    "process orders.confirm": {"send orders.confirm"},
    "send notifications.send_order_confirmed": {"process orders.confirm"},
    "process notifications.send_order_confirmed": {"send notifications.send_order_confirmed"},
    "send analytics.track_order": {POST, "process orders.confirm"},
    "process analytics.track_order": {"send analytics.track_order"},
    "SMTP send": {"process notifications.send_order_received", "process notifications.send_order_confirmed"},
}
SPANS = 15  # analytics and the mail server have two each
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


def place(api: Api, **headers: str) -> Answer:
    answer = api.post("/orders", {"items": [{"sku": SKU, "quantity": 1}]}, **headers)
    assert answer.status == 201, answer.body
    return answer


def parents(spans: Sequence[Span]) -> dict[str, set[str]]:
    """The names of spans, and of those that they follow from."""
    names = {span.id: span.name for span in spans}
    found: dict[str, set[str]] = {}
    for span in spans:
        found.setdefault(span.name, set()).add(names.get(span.parent, span.parent))
    return found


def whole_trace(collector: Collector, answer: Answer) -> Sequence[Span]:
    """Wait until an order's trace is complete, and return it."""

    def complete() -> Sequence[Span]:
        spans = collector.of(collector.trace_of(answer.headers["X-Request-ID"]))
        return spans if len(spans) >= SPANS and parents(spans) == WHOLE else []

    return until("its trace is complete", complete)


def test_an_order_is_one_trace_from_its_request_to_its_last_mail(
    system: System, ada: Api, collector: Collector
) -> None:
    answer = place(ada)
    spans = whole_trace(collector, answer)
    assert len(spans) == SPANS
    assert not [span.name for span in spans if span.failed]
    by_name = {span.name: span for span in spans}
    web, sent, handled, mail = (
        by_name[name] for name in (POST, "send orders.confirm", "process orders.confirm", "SMTP send")
    )
    assert [span.kind for span in (web, sent, handled, mail)] == [SERVER, PRODUCER, CONSUMER, CLIENT]
    assert [span.process for span in (web, sent, handled, mail)] == [
        *("web", "relay", "worker-orders", "worker-notifications")
    ]
    assert web.attributes["http.request.method"] == "POST"
    assert web.attributes["http.route"] == web.attributes["url.path"] == "/api/v1/orders"
    assert web.attributes["http.response.status_code"] == "201"
    assert handled.attributes["messaging.destination.name"] == "orders.confirm"
    assert handled.attributes["messaging.message.id"] == system.delivery(answer.json, "orders.confirm")[0]
    assert handled.attributes["messaging.message.conversation_id"] == answer.headers["X-Request-ID"]
    assert "@" not in str([span.attributes for span in spans])


def test_a_caller_s_own_trace_goes_on(ada: Api, collector: Collector) -> None:
    trace, parent = uuid4().hex, uuid4().hex[:16]
    place(ada, traceparent=f"00-{trace}-{parent}-01")
    spans = until("its trace is complete", lambda: collector.of(trace)[SPANS - 1 :] and collector.of(trace))
    assert parents(spans) == WHOLE | {POST: {parent}}


def test_what_a_caller_does_not_want_traced_is_not(system: System, ada: Api, collector: Collector) -> None:
    trace = uuid4().hex
    order = place(ada, traceparent=f"00-{trace}-{uuid4().hex[:16]}-00").json
    whole_trace(collector, place(ada))  # which came later
    assert collector.of(trace) == []
    stored = system.sql("SELECT traceparent FROM events_event WHERE subject = %s LIMIT 1", order["id"])
    assert stored[0][0].startswith(f"00-{trace}-")


def test_orders_that_share_messages_have_each_a_whole_trace(system: System, ada: Api, collector: Collector) -> None:
    answers = [place(ada) for _ in range(12)]
    for answer in answers:
        whole_trace(collector, answer)
    shared = {line["request_id"] for line in system.log() if line.get("outcome") == "done" and "batch" in line}
    assert shared & {answer.headers["X-Request-ID"] for answer in answers}


def test_probes_are_not_traced(system: System, ada: Api, collector: Collector) -> None:
    call("GET", f"{system.web}/health/live", X_Request_ID="a-probe")
    whole_trace(collector, place(ada))
    assert collector.trace_of("a-probe") == ""


def test_a_call_over_grpc_goes_on_with_its_caller_s_trace(system: System, ada: Api, collector: Collector) -> None:
    order, trace, parent = place(ada).json, uuid4().hex, uuid4().hex[:16]
    metadata = (("authorization", f"Bearer {GRPC_TOKEN}"), ("traceparent", f"00-{trace}-{parent}-01"))
    with grpc.insecure_channel(system.grpc) as channel:
        Health(channel).Check(HealthCheckRequest(), timeout=10, metadata=metadata)
        OrderServiceStub(channel).GetOrder(GetOrderRequest(order_id=order["id"]), timeout=10, metadata=metadata)
        nothing = channel.unary_unary("/made.up.Service/Nothing", bytes, bytes)
        with pytest.raises(grpc.RpcError):
            nothing(b"", timeout=10, metadata=metadata)
    spans = until("both have come", lambda: collector.of(trace)[1:] and collector.of(trace))
    told, unknown = sorted(spans, key=lambda span: span.start)
    assert [(span.kind, span.process, span.parent, span.failed) for span in spans] == [
        (SERVER, "grpc", parent, False)
    ] * 2
    assert told.name == told.attributes["rpc.method"] == "ordersite.orders.v1.OrderService/GetOrder"
    assert told.attributes["rpc.system.name"] == "grpc"
    assert told.attributes["rpc.response.status_code"] == "OK"
    assert (unknown.name, unknown.attributes["rpc.method"]) == ("grpc", "_OTHER")
    assert unknown.attributes["rpc.response.status_code"] == "UNIMPLEMENTED"
