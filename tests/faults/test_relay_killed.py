"""The relay is killed around a publish: its lease brings back what was not sent, and a copy does nothing."""

import pytest

from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys.client import Api

RESERVE = "inventory.reserve_items"


@pytest.mark.parametrize("where", ["relay.claimed", "relay.sent"])
def test_a_relay_killed_at_a_publish_costs_the_lease_at_most(system: FaultySystem, ada: Api, where: str) -> None:
    sku = system.product()
    system.arm(where)
    order = ada.order(sku)
    system.wait_for(where)
    guarantees.hold(system, [order])
    assert ada.status(order) == "confirmed"
    assert (RESERVE, "done", 1) in system.of_order(order)
