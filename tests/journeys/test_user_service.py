"""Mails ask the user service for whom they are, over gRPC, as a worker's pool does it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from events.tests.waiting import until
from tests.journeys.client import Api
from tests.journeys.collector import Collector, Span
from tests.journeys.system import GRPC_TOKEN, System

CLIENT, SERVER = 3, 2
ASK = "ordersite.users.v1.UserService/BatchGetUsers"
SKU, HANDLER = "TEA-ASSAM-100", "notifications.send_order_received"
WAITS = "SELECT waits, attempts FROM events_delivery WHERE subject = %s AND handler = %s AND waiting_for = 'dependency'"


@pytest.fixture
def asking(system: System) -> Iterator[None]:
    """Have mails ask the user service, until the test is over."""
    with restarted(system, USERS_GRPC_TARGET=system.grpc, USERS_GRPC_TOKEN=GRPC_TOKEN):
        yield
    with restarted(system):
        pass


@contextmanager
def restarted(system: System, **more: str) -> Iterator[None]:
    """Start the worker of the mails again, with these variables; they are gone when the block ends."""
    worker = system.supervisor.processes["worker-notifications"]
    system.environment |= more
    worker.stop(10)
    worker.start()
    try:
        yield
    finally:
        for name in more:
            del system.environment[name]


def test_mails_wait_while_the_user_service_is_dead_and_go_out_when_it_is_back(
    system: System, asking: None, ada: Api
) -> None:
    first = ada.order(SKU)
    until("its mail is there", lambda: system.mailbox.about(f"received your order {first['number']}"), seconds=60)
    service = system.supervisor.processes["grpc"]
    service.stop(10)
    second = ada.order(SKU)
    waits, attempts = until("its mail waits", lambda: system.sql(WAITS, second["id"], HANDLER), seconds=30)[0]
    assert waits >= 1
    assert attempts == 0
    assert system.mailbox.about(f"received your order {second['number']}") == []
    service.start()
    until("its mail is there", lambda: system.mailbox.about(f"received your order {second['number']}"), seconds=60)


def test_a_look_up_over_grpc_is_in_the_trace_and_the_log_of_its_order(
    system: System, asking: None, ada: Api, collector: Collector
) -> None:
    answer = ada.post("/orders", {"items": [{"sku": SKU, "quantity": 1}]})
    request_id = answer.headers["X-Request-ID"]

    def asked() -> dict[str, Span]:
        trace = {span.id: span for span in collector.of(collector.trace_of(request_id))}
        spans = [span for span in trace.values() if span.name == ASK]
        whole = all(span.parent in trace for span in spans)  # what is around a look-up is told after it
        return trace if whole and len(spans) >= 4 else {}  # two mails, each asked for by one and answered by another

    trace = until("both sides have told", asked, seconds=60)
    servers = [span for span in trace.values() if span.name == ASK and span.kind == SERVER]
    for server in servers:
        client = trace[server.parent]
        assert (client.kind, client.process, server.process) == (CLIENT, "worker-notifications", "grpc")
        assert trace[client.parent].name.startswith("process notifications.send_order_")
        assert client.attributes["server.address"] == "127.0.0.1"
        assert server.attributes["rpc.response.status_code"] == "OK"
        assert server.attributes["ordersite.request_id"] == request_id
    assert len(servers) == 2
    told = [line for line in system.log() if line["process"] == "grpc" and line["request_id"] == request_id]
    assert [(line["method"], line["code"]) for line in told] == [(f"/{ASK}", "OK")] * 2
    assert {line["trace_id"] for line in told} == {servers[0].trace}
