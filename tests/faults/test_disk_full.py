"""The database's disk is full: orders are turned away, whole, until there is room again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from events.tests.waiting import until
from local.system_user import own, postgres_user
from tests.faults import guarantees
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.watching import all_confirmed, catch_up, check_refused, count_orders, no_process_ends

SIZE = "256m"  # more than the tables have at this time; a file takes the rest
TABLES = ["orders_orderline", "events_event", "events_delivery"]
EMPTY_ORDERS = (
    "SELECT number FROM orders_order o WHERE NOT EXISTS (SELECT 1 FROM orders_orderline WHERE order_id = o.id)"
)
CHUNK = 1 << 20  # bytes


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of its own, which PostgreSQL may write to."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=False).returncode
    if mounted != 0:
        pytest.skip("no file system can be mounted here, even by root")
    try:
        own(folder, postgres_user())
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


@contextmanager
def tables_on(system: FaultySystem, disk: Path) -> Iterator[None]:
    """Keep the tables of orders and of the bus on this disk, for as long as the block runs."""
    system.sql(f"CREATE TABLESPACE small LOCATION '{disk / 'data'}'")
    move(system, "small")
    try:
        yield
    finally:
        move(system, "pg_default")
        system.sql("DROP TABLESPACE small")


def move(system: FaultySystem, tablespace: str) -> None:
    for table in TABLES:
        system.sql(f"ALTER TABLE {table} SET TABLESPACE {tablespace}")


@contextmanager
def no_room_on(disk: Path) -> Iterator[None]:
    """Take what is left of the disk, to the last byte, until the block ends."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * CHUNK):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_with_a_full_disk_orders_are_turned_away_whole_until_there_is_room(system: FaultySystem) -> None:
    sku = system.product(pieces=5_000)
    folder = system.folder / "small-disk"
    with small_disk(folder) as disk:
        (disk / "data").mkdir()
        own(disk / "data", postgres_user())
        with tables_on(system, disk), no_process_ends(system):
            with Load(system, 10, [sku]) as load:
                with no_room_on(disk):
                    until("orders are turned away", lambda: refused(load) > 20, seconds=120)
                load.more(20)
            catch_up(system)
    check_refused(load)
    assert count_orders(system, sku) == len(load.orders)
    assert system.sql(EMPTY_ORDERS) == []
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)


def refused(load: Load) -> int:
    return sum(answered.status == 503 for answered in list(load.answers))
