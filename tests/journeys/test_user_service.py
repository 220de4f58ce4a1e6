"""Mails ask the user service for whom they are, over gRPC, as a worker's pool does it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from events.tests.waiting import until
from tests.journeys.client import Api
from tests.journeys.system import GRPC_TOKEN, System

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
