"""A bug in one handler makes dead letters, behind which very many deliveries wait; then its fix, and a replay of all.

HELD_DELIVERIES is their number.
"""

import os
import threading
import time

import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys.client import Api

HELD = int(os.environ.get("HELD_DELIVERIES", "100000"))
EACH = 100  # behind each dead letter
SUBJECTS = HELD // EACH
ROUNDS, ORDERS = 5, 300
SLOWER = 1.2
DRAINS = 2  # processes that help the worker with what was held

# The dead letters of a bug, and what was published about their subjects since then, parked by publish().
INSERT = """
WITH subject AS (
    SELECT gen_random_uuid() AS subject FROM generate_series(1, %s)
), counter AS (
    INSERT INTO events_subjectcounter SELECT subject, %s FROM subject
), event AS (
    INSERT INTO events_event (id, source, type, subject, sequence, correlation_id, data)
    SELECT gen_random_uuid(), '/tests', 'faults.order_given.v1', subject, sequence, 'held',
           jsonb_build_object('id', subject, 'what', 'nothing')
    FROM subject, generate_series(1, %s) AS sequence
    RETURNING id, type, subject, sequence
)
INSERT INTO events_delivery (
    id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds, max_attempts, dead_holds,
    batch, state, due_at, reason, handled_at)
SELECT gen_random_uuid(), id, type, subject, sequence, 'faults.obey', 'faults', 'faults', 5, 3, true, 25,
       CASE sequence WHEN 1 THEN 'dead' ELSE 'pending' END, CASE sequence WHEN 1 THEN now() END,
       CASE sequence WHEN 1 THEN 'permanent_error' ELSE '' END, CASE sequence WHEN 1 THEN now() END
FROM event
"""
OURS = " FROM events_delivery d JOIN events_event e ON e.id = d.event_id WHERE e.correlation_id = 'held'"
OUT_OF_ORDER = f"""
SELECT * FROM (
    SELECT d.handled_at, lag(d.handled_at) OVER (PARTITION BY d.subject ORDER BY d.sequence) AS before {OURS}) AS d
WHERE handled_at < before
"""


# Subject by subject, by an index: what is held must not make the look itself slower, and so what is measured.
UNFINISHED = """
SELECT 1 FROM unnest(%s::uuid[]) AS mine (subject), LATERAL (
    SELECT 1 FROM events_delivery d WHERE d.subject = mine.subject AND d.handled_at IS NULL OFFSET 0) AS unfinished
LIMIT 1
"""


# What somebody waits for: the others gather for up to a second, so when the last is done is a matter of chance.
TOOK = """
SELECT extract(epoch FROM max(handled_at) - min(created_at))::float8 FROM events_delivery
WHERE subject = ANY(%s::uuid[]) AND consumer IN ('inventory', 'orders')
"""


def seconds_for_orders(system: FaultySystem, ada: Api, sku: str) -> float:
    """Return how long it takes until so many orders are confirmed: the best of several rounds."""
    return min(_round(system, ada, sku) for _ in range(ROUNDS))


def _round(system: FaultySystem, ada: Api, sku: str) -> float:
    orders = [ada.order(sku)["id"] for _ in range(ORDERS)]
    until("they are through", lambda: not system.sql(UNFINISHED, orders), seconds=120)
    return float(system.sql(TOOK, orders)[0][0])


@pytest.mark.chaos
def test_the_others_are_as_fast_as_before_and_after_a_replay_all_is_done_in_order(
    system: FaultySystem, ada: Api
) -> None:
    sku = system.product(pieces=10 * ROUNDS * ORDERS)  # never short: a rejection is other work than a confirmation
    _round(system, ada, sku)  # warm, as the later ones are
    before = seconds_for_orders(system, ada, sku)
    system.sql(INSERT, SUBJECTS, EACH + 1, EACH + 1)
    _round(system, ada, sku)  # while the statistics know nothing of them yet: this must not stop the relay
    for table in ("events_delivery", "events_event"):
        system.sql(f"VACUUM ANALYZE {table}")
    meanwhile = seconds_for_orders(system, ada, sku)
    print(f"{ORDERS} orders: {before:.1f} s, with {HELD} held deliveries {meanwhile:.1f} s")  # noqa: T201
    assert meanwhile <= SLOWER * before
    dead = [row[0] for row in system.sql(f"SELECT d.id::text {OURS} AND d.state = 'dead'")]
    assert len(dead) == SUBJECTS
    guarantees.hold(system, dead=dead)

    start = time.monotonic()
    system.run("manage.py", "deadletters", "replay", "--handler", "faults.obey")
    replayed = time.monotonic() - start
    help_drain(system)
    print(f"replayed in {replayed:.0f} s, all done after {time.monotonic() - start:.0f} s")  # noqa: T201
    guarantees.hold(system)
    assert system.sql(f"SELECT d.state, d.attempts, count(*) {OURS} GROUP BY 1, 2") == [
        ("done", 1, SUBJECTS * (EACH + 1))
    ]
    assert system.sql(OUT_OF_ORDER) == []


def help_drain(system: FaultySystem) -> None:
    drains = [threading.Thread(target=system.run, args=("-m", "tests.faults.drain", "faults")) for _ in range(DRAINS)]
    for drain in drains:
        drain.start()
    for drain in drains:
        drain.join()
