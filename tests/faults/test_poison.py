"""An event that its worker does not survive ends as a dead letter, and costs the others nothing."""

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys.client import Api
from tests.journeys.system import LEASE

ATTEMPTS = 3
# Each costs its lease, the sweep that finds it, and a new child for the worker.
BOUND = ATTEMPTS * (LEASE + guarantees.RESTART)
BESIDE = """
SELECT count(*) FROM events_delivery d JOIN events_failedattempt a ON a.delivery_id = %s
WHERE d.id = %s AND d.worker = a.worker AND d.started_at < a.started_at AND a.started_at < d.handled_at
"""
FAILED = "SELECT number, error_type FROM events_failedattempt WHERE delivery_id = %s ORDER BY id"


@pytest.mark.parametrize(
    "what",
    ["kill", pytest.param("exit", marks=pytest.mark.chaos), pytest.param("hang", marks=pytest.mark.chaos)],
)
def test_an_event_that_ends_its_worker_each_time_is_dead_and_the_others_go_on(
    system: FaultySystem, ada: Api, what: str
) -> None:
    beside = system.tell("linger")
    until("it is being handled", lambda: system.row(beside)[0] == "running")
    poison = system.tell(what)
    others = [system.tell("nothing") for _ in range(10)]
    order = ada.order(system.product())
    until("the others are done", lambda: {system.row(each)[0] for each in [beside, *others]} == {"done"})
    until("the order is confirmed", lambda: ada.status(order) == "confirmed")
    assert system.row(poison)[0] != "dead"
    until("it is dead", lambda: system.row(poison)[0] == "dead", seconds=BOUND)
    guarantees.hold(system, [order], dead=[poison])
    assert system.row(poison) == ("dead", ATTEMPTS, "worker_lost")
    assert system.sql(FAILED, poison) == [(number + 1, "WorkerLost") for number in range(ATTEMPTS)]
    assert system.sql(BESIDE, poison, beside) == [(1,)], "nothing was in flight beside it"
    for each in [beside, *others]:
        assert system.row(each, "state, attempts") == ("done", 1)
        assert system.sql(FAILED, each) == []
    system.run("manage.py", "deadletters", "discard", poison, "--reason", "a test made it")
