"""A backup that was made under load, restored elsewhere as docs/backup.md says: the shop goes on where it was."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from events.tests.waiting import until
from local.postgres import binary
from local.process import become
from local.settings import CHECKOUT, Settings
from local.system_user import own, postgres_user
from tests.faults import guarantees
from tests.faults.conftest import Running
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.watching import catch_up
from tests.journeys.client import Api, confirmed
from tests.journeys.clusters import Cluster
from tests.journeys.running import run_started

pytestmark = pytest.mark.chaos

PAGE = CHECKOUT / "docs" / "backup.md"
DUMP, RESTORE_DUMP, ARCHIVE, BASE_BACKUP, RESTORE = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
RATE = 5  # orders a second
MAILS = 2  # of an order: it was received, and it is confirmed
MESSAGE_ID = re.compile(r"^Message-ID: (\S+)", re.MULTILINE | re.IGNORECASE)


class Archived(FaultySystem):
    """Its PostgreSQL keeps its log in a folder, from before the processes start."""

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        self.backup = self.folder / "backup"
        self.backup.mkdir()
        own(self.backup, postgres_user())
        self.do(ARCHIVE)
        self.servers.postgres.stop()
        self.servers.postgres.start()
        return super().commands(settings)

    def do(self, block: str, **variables: str) -> None:
        """Run commands of the page, as PostgreSQL's user."""
        programs = f"{Path(binary('psql')).parent}{os.pathsep}{os.environ['PATH']}"
        urls = dict.fromkeys(("OWNER_URL", "SUPERUSER_URL"), self.servers.database_url)
        given = {"PATH": programs, "BACKUP": str(self.backup), **urls, **variables}
        done = subprocess.run(
            ["sh", "-ec", block], env=given, cwd="/", capture_output=True, text=True, check=False,
            **become(postgres_user()),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def archive_all(self) -> None:
        (name,) = self.sql("SELECT pg_walfile_name(pg_switch_wal())")[0]
        until("the log is archived", (self.backup / "log" / f"{name}.gz").exists)


class Restored(FaultySystem):
    """A site of its own, with a broker and a mail server of its own, on what `restore` makes."""

    def __init__(self, folder: Path, restore: "Callable[[Restored], str]") -> None:
        self._restore = restore
        super().__init__(folder)

    def commands(self, settings: Settings) -> dict[str, list[str]]:
        self.environment["DATABASE_URL"] = self.servers.urls["DATABASE_URL"] = self._restore(self)
        return super().commands(settings)


def restored(restore: Callable[[Restored], str]) -> AbstractContextManager[Restored]:
    return run_started(lambda folder: Restored(folder, restore))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running(Archived)
    yield running
    running.stop()


def test_a_dump_made_under_load_is_a_shop_that_goes_on(system: Archived, ada: Api) -> None:
    sku = system.product(pieces=5_000)
    with Load(system, RATE, [sku]) as load:
        load.more(20)
        before = list(load.orders)
        system.do(DUMP)
        load.more(20)
    catch_up(system)
    guarantees.hold(system, load.orders)

    def restore(copy: Restored) -> str:
        system.do(RESTORE_DUMP, OWNER_URL=copy.servers.database_url)
        return copy.servers.database_url

    with restored(restore) as copy:
        goes_on(copy, before, sku)


def test_a_base_backup_and_the_log_are_the_shop_of_that_moment(system: Archived, ada: Api) -> None:
    sku = system.product(pieces=5_000)
    with Load(system, RATE, [sku]) as load:
        load.more(20)
        system.do(BASE_BACKUP)
        load.more(20)
    catch_up(system)
    with system.without_mail_server():
        kept = [ada.order(sku) for _ in range(3)]
        for order in kept:
            confirmed(ada, order, seconds=60)
            until("its first mail is written down", partial(written_down, system, order), seconds=60)
        moment = system.sql("SELECT clock_timestamp()::text")[0][0]
    later = [ada.order(sku) for _ in range(3)]
    catch_up(system)
    system.archive_all()

    def restore(copy: Restored) -> str:
        cluster = Cluster(copy.folder / "restored", copy.others)
        (base,) = system.backup.glob("base-*")
        system.do(RESTORE, DATA=str(cluster.data), MOMENT=moment, DAY=base.name.removeprefix("base-"))
        cluster.server.start()
        until("it is at that moment", lambda: takes_writes(cluster.url), seconds=60)
        return cluster.url

    with restored(restore) as copy:
        goes_on(copy, [*load.orders, *kept], sku)
        assert copy.sql("SELECT 1 FROM orders_order WHERE id = ANY(%s)", [order["id"] for order in later]) == []
        for order in kept:  # its first mail was due at that moment, and the second behind it: both have sent both
            assert len(message_ids(copy, order)) == len(message_ids(system, order)) == MAILS
            assert message_ids(copy, order) & message_ids(system, order)


def goes_on(copy: Restored, orders: list[Any], sku: str) -> None:
    """All these orders are there and final, no row is doubled, the books agree, and a new order is confirmed."""
    guarantees.hold(copy, orders)
    confirmed(copy.person("ada"), copy.person("ada").order(sku), seconds=60)
    guarantees.hold(copy, orders)
    assert "the figures and the events match" in copy.run("manage.py", "analytics", "rebuild", "--check")


def written_down(system: FaultySystem, order: Any) -> int:
    """Return how many mails about an order are written down, sent or not."""
    sql = "SELECT count(*) FROM notifications_notification n JOIN events_event e ON e.id = n.event_id"
    return int(system.sql(f"{sql} WHERE e.subject = %s", order["id"])[0][0])


def takes_writes(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT pg_is_in_recovery()").fetchall() == [(False,)]


def message_ids(system: FaultySystem, order: Any) -> set[str]:
    mails = system.mailbox.about(order["number"])
    found = {match[1] for mail in mails if (match := MESSAGE_ID.search(mail))}
    assert found
    return found
