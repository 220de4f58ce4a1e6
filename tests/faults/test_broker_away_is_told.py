"""The broker is away: it costs nothing but time, and whoever looks is told."""

import re

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.system import STUCK_AFTER, FaultySystem
from tests.journeys.client import Api, call


@pytest.mark.chaos
def test_deliveries_that_do_not_move_are_told_until_they_move(system: FaultySystem, ada: Api) -> None:
    sku = system.product()

    def health() -> str:
        return str(system.ready().json["deliveries"])

    def metric(name: str) -> float:
        text = call("GET", f"{system.web}/metrics").body.decode()
        found = re.search(rf"^ordersite_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found, text
        return float(found[1])

    def told(text: str) -> bool:
        return text in (system.folder / "run.log").read_text()

    until("nothing waits", lambda: health() == "ok")
    system.broker.stop()
    try:
        order = ada.order(sku)
        until("it is told", lambda: health() == "stuck", seconds=STUCK_AFTER + 10)
        ready = system.ready()
        assert (ready.status, ready.json["broker"]) == (200, "down")
        assert ready.json["oldest_due_seconds"] >= STUCK_AFTER
        assert metric('oldest_due_seconds{queue="inventory"}') > STUCK_AFTER
        assert metric('backlog_deliveries{queue="inventory"}') >= 1
        assert metric("broker_up") == 0
        until(
            "the log has it", lambda: told("WARNING events.relaying.watchdog [-] inventory does not move"), seconds=20
        )
    finally:
        system.broker.start()
    guarantees.hold(system, [order])
    assert ada.status(order) == "confirmed"
    until("the log has its end", lambda: told("INFO events.relaying.watchdog [-] inventory moves again"), seconds=20)
    assert health() == "ok"
    assert metric('oldest_due_seconds{queue="inventory"}') == 0
    assert metric("broker_up") == 1
