"""The commands of docs/coming-from-celery.md, as a Celery person types them beside the running system."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from events.tests.waiting import until
from testing import pages
from tests.journeys import shell
from tests.journeys.client import Api, confirmed
from tests.journeys.system import LEASE, System

SKU = "TEA-LAPSANG-100"
RESERVE = "inventory.reserve_items"
DEAD, REPLAY, RESULT, WORKER, PING, ACTIVE, PURGE, PURGE_QUEUES = pages.commands("docs/coming-from-celery.md")
# Seconds until a purged delivery is confirmed: its lease, a sweep, and some for a machine that is busy.
AFTER_A_PURGE = LEASE + 1 + 10


@contextmanager
def stopped(system: System, *names: str) -> Iterator[None]:
    """Have processes of the system away meanwhile."""
    processes = [system.supervisor.processes[name] for name in names]
    for process in processes:
        process.stop(5)
    try:
        yield
    finally:
        for process in processes:
            process.start()


def waiting(system: System) -> int:
    """How many messages wait in the broker for inventory."""
    with system.celery() as celery, celery.connection_for_read() as connection:
        channel: Any = connection.default_channel  # kombu's types know nothing of virtual channels
        return int(channel.queue_declare("inventory").message_count)


def test_a_worker_started_by_hand_takes_work(system: System, ada: Api, tmp_path: Path) -> None:
    with stopped(system, "worker-inventory"), shell.running(system, WORKER, tmp_path / "log"):
        order = ada.order(SKU)
        confirmed(ada, order, seconds=60)
        rows = system.sql(
            "SELECT worker FROM events_delivery WHERE subject = %s AND handler = %s", order["id"], RESERVE
        )
        assert rows[0][0].startswith("celery@")


def test_inspect_sees_the_workers_and_what_they_do(system: System, ada: Api) -> None:
    assert "nodes online" in shell.run(system, PING)
    with system.locked(SKU):
        order = ada.order(SKU)
        delivery_id = until("its delivery", lambda: system.delivery(order, RESERVE)[0])
        until("it is seen at work", lambda: delivery_id in shell.run(system, ACTIVE), seconds=60)
    confirmed(ada, order, seconds=60)


def test_a_purge_loses_nothing(system: System, ada: Api) -> None:
    with stopped(system, "worker-inventory"):
        orders = [ada.order(SKU) for _ in range(5)]
        until("their messages wait", lambda: waiting(system) >= 5)
        assert "No messages purged" in shell.run(system, PURGE)
        assert waiting(system) >= 5  # more, where leases ran out meanwhile and they were sent again
        told = shell.run(system, PURGE_QUEUES)
        purged = re.search(r"Purged (\d+) messages", told)
        assert purged, told
        assert int(purged[1]) >= 5
    for order in orders:
        confirmed(ada, order, seconds=AFTER_A_PURGE)
        assert system.delivery(order, RESERVE)[2] == 1


def test_a_plain_task_works_by_delay_and_leaves_its_result(system: System) -> None:
    checks = "SELECT count(*) FROM django_celery_results_taskresult WHERE task_name = 'inventory.check_stock'"
    before = system.sql(checks)[0][0]
    assert "the books agree" in shell.run(system, RESULT)
    assert system.sql(checks)[0][0] > before


def test_dead_letters_are_listed_and_replayed_from_the_shell(system: System, ada: Api, staff: Api) -> None:
    sku = f"LOST-{uuid4().hex[:8]}"
    assert staff.post("/products", {"sku": sku, "name": "A lost one", "price": "5.00", "currency": "EUR"}).status == 201
    system.sql(
        "DELETE FROM inventory_stockitem s USING inventory_product p WHERE p.id = s.product_id AND p.sku = %s", sku
    )
    order = ada.order(sku)
    until("it is dead", lambda: system.delivery(order, RESERVE)[1] == "dead")
    assert f"{system.delivery(order, RESERVE)[0]}  inventory.dlq" in shell.run(system, DEAD)
    system.sql("INSERT INTO inventory_stockitem SELECT id, 0, 0 FROM inventory_product WHERE sku = %s", sku)
    assert staff.post(f"/products/{sku}/stock-adjustments", {"quantity": 1, "reason": "found"}).status == 201
    assert "1 replayed" in shell.run(system, REPLAY)
    confirmed(ada, order, seconds=60)
