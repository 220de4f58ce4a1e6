"""Kills each process in turn while orders come in. Last, since Flower forgets what it saw."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from events.tests.waiting import until
from tests.journeys.client import Api
from tests.journeys.system import System

SKUS = ["TEA-CEYLON-100", "TEA-ROOIBOS-100", "TEA-KEEMUN-100", "TEA-PUERH-100"]
ORDERS = 200
BUYERS = 4


class Buyer(threading.Thread):
    """Places orders one after the other, each repeated under its key until it is answered."""

    def __init__(self, api: Api, count: int) -> None:
        super().__init__()
        self._api = api
        self._count = count
        self.placed: list[Any] = []

    def run(self) -> None:
        for number in range(self._count):
            self.placed.append(self._order(SKUS[number % len(SKUS)]))

    def _order(self, sku: str) -> Any:
        key = str(uuid4())
        body = {"items": [{"sku": sku, "quantity": 1}]}

        def attempt() -> Any:
            try:
                answer = self._api.post("/orders", body, Idempotency_Key=key)
            except OSError:
                return None
            assert answer.status in (201, 409, 503), answer.body
            return answer.json if answer.status == 201 else None

        return until("the order is accepted", attempt, seconds=60)


@pytest.fixture
def buyers(system: System, ada: Api) -> Iterator[list[Buyer]]:
    buyers = [Buyer(ada, ORDERS // BUYERS) for _ in range(BUYERS)]
    yield buyers
    for buyer in buyers:
        buyer.join()


def test_every_process_killed_in_turn_loses_doubles_and_oversells_nothing(
    system: System, ada: Api, buyers: list[Buyer]
) -> None:
    for buyer in buyers:
        buyer.start()
    for name in system.supervisor.processes:
        before = sum(len(buyer.placed) for buyer in buyers)
        until("orders flow", lambda before=before: done(buyers) or placed(buyers) > before)  # type: ignore[misc]
        system.supervisor.processes[name].kill()
    system.broker.kill()
    system.servers.postgres.kill()
    for buyer in buyers:
        buyer.join()
    orders = [order for buyer in buyers for order in buyer.placed]
    assert len({order["id"] for order in orders}) == ORDERS
    for order in orders:
        until("it is final", lambda order=order: ada.status(order) == "confirmed", seconds=90)  # type: ignore[misc]
    assert system.sql("SELECT handler, error_message FROM events_delivery WHERE state = 'dead'") == []


def placed(buyers: list[Buyer]) -> int:
    return sum(len(buyer.placed) for buyer in buyers)


def done(buyers: list[Buyer]) -> bool:
    return not any(buyer.is_alive() for buyer in buyers)
