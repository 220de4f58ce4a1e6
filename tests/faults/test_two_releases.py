"""Old and new code at work on one database and one broker, as they are in every deployment for a while."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.releases.common import LEDGER
from tests.faults.shoppers import Shoppers
from tests.faults.system import FaultySystem
from tests.journeys import books
from tests.journeys.client import Api

RELEASES = ["old", "new"]
SUBJECTS = [str(uuid4()) for _ in range(5)]
ROUNDS = 6
EACH = ROUNDS * len(SUBJECTS)  # events that each release publishes
MISSED = "SELECT count(*) FROM releases_ledger WHERE handler = 'added'"
COUNTED = """
SELECT l.handler, e.type, count(*), count(DISTINCT l.event_id) FROM releases_ledger l
JOIN events_event e ON e.id = l.event_id GROUP BY 1, 2 ORDER BY 1, 2
"""
OUT_OF_ORDER = """
SELECT * FROM (
    SELECT handler, sequence, lag(sequence) OVER (PARTITION BY handler, subject ORDER BY id) AS before
    FROM releases_ledger) AS l
WHERE sequence < before
"""
V1, V2 = "releases.thing_done.v1", "releases.thing_done.v2"


def settings(release: str) -> dict[str, str]:
    # A release takes longer than the grace of the other tests.
    return {
        "DJANGO_SETTINGS_MODULE": f"tests.faults.releases.{release}_settings",
        "EVENTS_UNKNOWN_GRACE": "600",
        "EVENTS_UNKNOWN_RETRY": "0.2",
    }


@pytest.fixture
def both(system: FaultySystem) -> Iterator[FaultySystem]:
    """The system with a relay and a worker of each release, and a table in which handlers note what they did."""
    system.sql(LEDGER)
    celery = system.supervisor.processes["worker-inventory"].command.argv
    for release in RELEASES:
        environment = system.environment | settings(release)
        options = ["-Q", "releases", "-n", f"{release}@%h", "-c", "2", "--without-gossip", "--without-mingle"]
        worker = [*celery[: celery.index("worker")], "worker", *options]
        system.supervisor.add(f"worker-{release}", worker, environment).start()
        relay = system.supervisor.processes["relay"].command.argv
        system.supervisor.add(f"relay-{release}", relay, environment).start()
    yield system
    for release in RELEASES:
        stop(system, release)
    system.sql("DROP TABLE releases_ledger")


def stop(system: FaultySystem, release: str) -> None:
    for name in [f"worker-{release}", f"relay-{release}"]:
        if process := system.supervisor.processes.pop(name, None):
            process.stop(10)


def at_work(system: FaultySystem, release: str) -> bool:
    done = system.sql("SELECT 1 FROM releases_ledger WHERE release LIKE %s", f"%.{release}_settings")
    return len(done) > 0


def publish(system: FaultySystem, release: str, rounds: int = ROUNDS) -> None:
    system.run("-m", "tests.faults.releases.publish", str(rounds), *SUBJECTS, **settings(release))


@pytest.mark.chaos
def test_two_releases_side_by_side_lose_and_bury_nothing_and_backfill_gives_the_rest_once(both: FaultySystem) -> None:
    publishers = [threading.Thread(target=publish, args=(both, release)) for release in RELEASES]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()
    until("both releases have handled something", lambda: all(at_work(both, r) for r in RELEASES), seconds=60)
    books.settle(both, seconds=240)
    guarantees.hold(both)  # all done, none dead: by whichever release could
    assert both.sql(COUNTED) == [
        ("added", V2, EACH, EACH),
        ("kept", V1, EACH, EACH),
        ("kept", V2, EACH, EACH),
        ("removed", V1, EACH, EACH),
    ]
    assert both.sql(OUT_OF_ORDER) == []
    waited = both.sql("SELECT count(*) FROM events_delivery WHERE queue = 'releases' AND attempts <> 1")
    assert waited == [(0,)]  # what came to the wrong release was set aside, uncounted

    stop(both, "old")
    for _ in range(2):  # the second finds nothing to do
        both.run("manage.py", "events", "backfill", "releases.added", **settings("new"))
        books.settle(both, seconds=240)
        guarantees.hold(both)
        assert both.sql(MISSED) == [(2 * EACH,)]
    assert both.sql(COUNTED)[0] == ("added", V1, EACH, EACH)


EXPAND = [
    "ALTER TABLE {} ADD COLUMN later_text text NOT NULL DEFAULT 'later'",
    "ALTER TABLE {} ADD COLUMN later_null uuid",
]
TABLES = [
    *("events_event", "events_delivery", "events_subjectcounter", "events_failedattempt"),
    *("orders_order", "orders_orderline", "orders_storedanswer", "orders_statuschange"),
    *("inventory_stockitem", "inventory_reservation", "notifications_notification", "analytics_dailysales"),
]


@pytest.fixture
def expanding(system: FaultySystem) -> Iterator[list[str]]:
    """The statements of the next release's migration, taken back afterwards."""
    yield [
        *(statement.format(table) for table in TABLES for statement in EXPAND),
        "CREATE TABLE later_table (order_id uuid REFERENCES orders_order ON DELETE CASCADE)",
    ]
    for table in TABLES:
        system.sql(f"ALTER TABLE {table} DROP COLUMN IF EXISTS later_text, DROP COLUMN IF EXISTS later_null")
    system.sql("DROP TABLE IF EXISTS later_table")


@pytest.mark.chaos
def test_this_code_works_on_while_the_next_release_expands_the_schema(
    system: FaultySystem, ada: Api, expanding: list[str]
) -> None:
    with Shoppers(ada, [system.product() for _ in range(5)]) as shoppers:
        shoppers.wait_for(5)
        for statement in expanding:
            system.sql(statement)
        shoppers.wait_for(10)
        failing = system.tell("fail")  # the ways of a failure write to other tables
    assert not shoppers.failed
    books.settle(system, seconds=240)
    guarantees.hold(system, shoppers.orders, dead=[failing])
    assert system.sql("SELECT later_text FROM orders_order WHERE id = %s", shoppers.orders[-1]["id"]) == [("later",)]
    system.run("manage.py", "deadletters", "discard", failing, "--reason", "the test is over")
