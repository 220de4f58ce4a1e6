"""Clocks are an hour off: leases and back-off go by PostgreSQL's, so nothing notices. Then that one steps back."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.watching import all_confirmed, catch_up, tries
from tests.journeys.client import Api
from tests.journeys.system import LEASE

# Debian's libfaketime.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
RESERVE = "inventory.reserve_items"
SHORTEST_BACKOFF = 0.02  # seconds: a tenth of the first
# Seconds from the start of an attempt whose worker was lost to the start of the next one.
BETWEEN = """
SELECT extract(epoch FROM d.started_at - f.started_at)::float8
FROM events_delivery d JOIN events_failedattempt f ON f.delivery_id = d.id WHERE d.id = %s
"""
# Seconds from the end of each failed attempt to the start of the next one.
PAUSES = """
SELECT extract(epoch FROM b.started_at - a.ended_at)::float8
FROM events_failedattempt a JOIN events_failedattempt b ON b.delivery_id = a.delivery_id AND b.number = a.number + 1
WHERE a.delivery_id = %s
"""


@contextmanager
def clock_off(system: FaultySystem, name: str, offset: str) -> Iterator[None]:
    """Run a process with a wrong clock until the block ends. (Its monotonic clock is right, as everybody's is.)"""
    process = system.supervisor.processes[name]
    right = process.command
    wrong = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(Path(__file__).parent / "wrong_clock"),
    }
    process.stop(5)
    process.command = replace(right, env={**system.environment, **wrong})
    process.start()
    try:
        yield
    finally:
        process.stop(5)
        process.command = right
        process.start()


@pytest.mark.chaos
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (apt-get install libfaketime)")
@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_a_relay_and_a_worker_whose_clocks_are_an_hour_off_change_neither_lease_nor_back_off(
    system: FaultySystem, ada: Api, offset: str
) -> None:
    sku = system.product()
    with ExitStack() as wrong:
        for name in ("relay", "worker-inventory", "worker-faults"):
            wrong.enter_context(clock_off(system, name, offset))
        first = ada.order(sku)
        until("the first order is confirmed", lambda: ada.status(first) == "confirmed", seconds=60)
        with Load(system, 5, [sku]) as load:
            load.more(20)
        catch_up(system)
        assert tries(system, sku) == {(1, 0)}

        system.arm(f"applied {RESERVE}")
        killed = ada.order(sku)
        system.wait_for(f"applied {RESERVE}")
        failing = system.tell("fail")
        until("it has failed for good", lambda: system.row(failing)[0] == "dead", seconds=guarantees.RECOVERY)
        until("the next one has it", lambda: system.delivery(killed, RESERVE)[2] == 2, seconds=guarantees.RECOVERY)
    system.run("manage.py", "deadletters", "discard", failing, "--reason", "a test")
    guarantees.hold(system, [*load.orders, first, killed])
    assert all_confirmed(system, sku)
    lease = system.sql(BETWEEN, system.delivery(killed, RESERVE)[0])[0][0]
    assert LEASE <= lease <= guarantees.RECOVERY
    pauses = [row[0] for row in system.sql(PAUSES, failing)]
    assert len(pauses) == 2
    assert min(pauses) >= SHORTEST_BACKOFF


@contextmanager
def clock_of_postgresql(system: FaultySystem) -> Iterator[Path]:
    """Run PostgreSQL by a clock that is right, plus what is written into the file that this yields."""
    offset = system.folder / "clock"
    offset.write_text("+0")
    offset.chmod(0o644)
    process = system.servers.postgres._process
    right = process.command
    wrong = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    system.servers.postgres.stop()
    process.command = replace(right, env={**os.environ, **wrong})
    system.servers.postgres.start()
    try:
        yield offset
    finally:
        system.servers.postgres.stop()
        process.command = right
        system.servers.postgres.start()


HOURS_BACK = "SELECT extract(epoch FROM %s::timestamptz - clock_timestamp())::float8 / 3600"


@pytest.mark.chaos
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (apt-get install libfaketime)")
def test_postgresqls_clock_that_steps_back_an_hour_holds_nothing_up_and_it_is_told(
    system: FaultySystem, ada: Api
) -> None:
    sku = system.product()
    with clock_of_postgresql(system) as offset:
        until("the web is ready", system.is_ready, seconds=60)
        first = ada.order(sku)
        until("the first order is confirmed", lambda: ada.status(first) == "confirmed", seconds=60)
        system.arm(f"applied {RESERVE}")
        killed = ada.order(sku)
        system.wait_for(f"applied {RESERVE}")
        before = system.sql("SELECT clock_timestamp()::text")[0][0]
        stepped = time.monotonic()
        offset.write_text("-1h")
        until("the clock has stepped back", lambda: system.sql(HOURS_BACK, before)[0][0] > 0.9)
        with Load(system, 5, [sku]) as load:
            until("what was lost runs again", lambda: system.delivery(killed, RESERVE)[2] == 2, seconds=60)
            waited = time.monotonic() - stepped
            load.more(20)
        catch_up(system)
        orders = [*load.orders, first, killed]
        assert all_confirmed(system, sku)
    print(f"the lost delivery ran again {waited:.1f} s after the step")  # noqa: T201
    assert waited <= LEASE + 5 + 2  # the last for the offset's file to be read again
    log = (system.folder / "run.log").read_text()
    assert "PostgreSQL's clock has stepped back" in log
    assert system.sql("SELECT sum(count) > 0 FROM events_tally WHERE what = 'ahead' AND grain = 'ever'") == [(True,)]
    guarantees.hold(system, orders)
