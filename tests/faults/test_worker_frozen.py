"""A worker is frozen inside a transaction for longer than its lease, and thawed when its work was done elsewhere."""

from signal import SIGCONT, SIGSTOP

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.faults.workers import thaw_children, told
from tests.journeys import shell
from tests.journeys.client import Api
from tests.journeys.system import LEASE

RESERVE = "inventory.reserve_items"
WORKER = "worker-inventory"
FREE = """
SELECT 1 FROM inventory_stockitem s JOIN inventory_product p ON p.id = s.product_id
WHERE p.sku = %s FOR UPDATE OF s SKIP LOCKED
"""
START = 60  # seconds until a worker that is started by hand is up on a machine that is busy with other things
BOUND = LEASE + guarantees.RESTART


@pytest.mark.chaos
def test_a_worker_frozen_with_a_stock_row_keeps_it_from_nobody_and_commits_nothing_when_thawed(
    system: FaultySystem, ada: Api
) -> None:
    sku = system.product()
    system.arm(f"applied {RESERVE}", "stop")
    order = ada.order(sku)
    system.wait_for(f"applied {RESERVE}")
    system.signal(WORKER, SIGSTOP)  # its main process too: else that would kill the child for being late
    try:
        assert system.sql(FREE, sku) == []
        others = [ada.order(sku) for _ in range(5)]
        until("PostgreSQL frees the stock row", lambda: system.sql(FREE, sku), seconds=LEASE)
        second = "celery -A ordersite worker -Q inventory -n second@%h -c 1"
        log = system.folder / "second.log"
        with shell.running(system, second, log):
            until("a second worker is up", lambda: "ready." in log.read_text(), seconds=START)
            for each in [*others, order]:
                until("it is confirmed", lambda each=each: ada.status(each) == "confirmed", seconds=BOUND)  # type: ignore[misc]
            delivery_id, state, attempts = system.delivery(order, RESERVE)
            assert (state, attempts) == ("done", 2)
            thaw_children(system, WORKER)
            until("the thawed worker finds that it lost it", lambda: told(system, delivery_id, "another worker"))
    finally:
        system.signal(WORKER, SIGCONT)
    guarantees.hold(system, [order, *others])
    assert system.delivery(order, RESERVE) == (delivery_id, "done", 2)
