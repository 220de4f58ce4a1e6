"""A delivery that no code here knows waits for its code, uncounted, is dead after its grace, and can be replayed."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from events.tests.waiting import until
from tests.faults.system import FaultySystem
from tests.journeys.shell import running
from tests.journeys.system import LEASE

GRACE = 3  # seconds, as FaultySystem sets it
V1, V2 = "faults.order_given.v1", "faults.order_given.v2"
CASES = {
    "type": ("faults.misspelt.v1", "faults.obey", "unknown_type"),
    "version": (V2, "faults.obey", "unknown_type"),
    "handler": (V1, "faults.obey_better", "no_such_handler"),
}


def publish(system: FaultySystem, event_type: str, handler: str) -> str:
    subject = uuid4()
    return system.publish(event_type, subject, {"id": str(subject), "what": "nothing"}, [handler])[0]


@contextmanager
def later_release(system: FaultySystem) -> Iterator[None]:
    """A worker by hand, of the later release, takes the place of the one that does not know."""
    old = system.supervisor.processes["worker-faults"]
    old.stop(10)
    celery = "celery -A ordersite worker -Q faults -n later@%h -c 1 --without-gossip --without-mingle"
    try:
        with running(system, celery, system.folder / "later.log", DJANGO_SETTINGS_MODULE="tests.faults.later"):
            yield
    finally:
        old.start()


@pytest.mark.parametrize("unknown", CASES)
def test_a_delivery_that_no_code_knows_waits_uncounted_and_is_dead_after_its_grace(
    system: FaultySystem, unknown: str
) -> None:
    event_type, handler, reason = CASES[unknown]
    delivery = publish(system, event_type, handler)
    waits = "state, attempts, waiting_for"
    until("it waits for code", lambda: system.row(delivery, waits) == ("pending", 0, "code"), seconds=4 * LEASE)
    until("it is dead", lambda: system.row(delivery)[0] == "dead", seconds=GRACE + 4 * LEASE)
    assert system.row(delivery) == ("dead", 0, reason)
    waited = system.row(delivery, "handled_at - waiting_since > make_interval(secs => 3), error_message")
    assert waited[0]
    assert (event_type if reason == "unknown_type" else handler) in waited[1]
    system.run("manage.py", "deadletters", "discard", delivery, "--reason", "the test is over")


@pytest.mark.chaos
def test_its_replay_works_once_code_knows_it(system: FaultySystem) -> None:
    version, handler = (publish(system, *CASES[unknown][:2]) for unknown in ("version", "handler"))
    for delivery in (version, handler):
        until("it is dead", lambda d=delivery: system.row(d)[0] == "dead", seconds=GRACE + 8 * LEASE)  # type: ignore[misc]
    with later_release(system):
        for delivery in (version, handler):
            system.run("manage.py", "deadletters", "replay", delivery)
            until("it is done", lambda d=delivery: system.row(d)[0] == "done", seconds=60)  # type: ignore[misc]
    assert system.row(version) == system.row(handler) == ("done", 1, "")
