"""A session holds a snapshot, as pg_dump does, while very many deliveries are handled. HELD_CHURN is their number."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import psycopg
import pytest

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.test_backlog import make_backlog, rate
from tests.faults.watching import catch_up
from tests.journeys import books

CHURN = int(os.environ.get("HELD_CHURN", "100000"))
ORDERS = 2_000  # of the backlog that is worked off, and confirmed under load
DRAINS = 3
RATE, CONFIRMED = 10, 400  # orders a second, and how many
IDLE = 8.0  # seconds
POLL = 2.0  # milliseconds of an idle poll at most
DRAIN, LATENCY = 0.8, 1.5  # times what it was before
NAME = "a long backup"

# What an hour leaves: each delivery was due, sent, run and done. In one transaction, so that no relay sees them.
INSERT = """
WITH event AS (
    INSERT INTO events_event (id, source, type, subject, sequence, correlation_id, data)
    VALUES (gen_random_uuid(), '/tests', 'faults.order_given.v1', gen_random_uuid(), 1, 'churn', '{}') RETURNING *
)
INSERT INTO events_delivery (id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds,
    max_attempts, dead_holds, batch, state, due_at, handled_at)
SELECT gen_random_uuid(), event.id, type, gen_random_uuid(), 1, 'churn ' || n, queue, queue, 5, 3, true, 25, 'pending',
       now() - n * interval '1 ms', NULL
FROM event, generate_series(1, %s) AS n,
     LATERAL (SELECT (ARRAY['inventory', 'orders', 'notifications', 'analytics'])[1 + n %% 4] AS queue) AS of
ORDER BY random()
"""
LIVES = [
    "state = 'leased', token = gen_random_uuid(), lease_until = due_at + interval '5 s'",
    "state = 'running'",
    "state = 'done', token = NULL, lease_until = NULL, handled_at = now() - interval '1 hour'",  # counted long ago
]
TOOK = """
SELECT 1000 * percentile_cont(%s) WITHIN GROUP (ORDER BY extract(epoch FROM h.at - o.created_at))
FROM orders_order o JOIN orders_statuschange h ON h.order_id = o.id AND h.to_status = 'confirmed'
WHERE o.id = ANY(%s::uuid[])
"""


@dataclass(frozen=True)
class Figures:
    """Milliseconds of an idle poll (median, mean), deliveries a second of a backlog, milliseconds to confirmation."""

    poll: float
    mean_poll: float
    drain: float
    p50: float
    p99: float


def measure(system: FaultySystem, skus: list[str]) -> Figures:
    books.settle(system, seconds=120)
    poll, mean_poll = map(float, system.run("-m", "tests.faults.idle_polls", str(IDLE)).split())
    with Load(system, RATE, skus) as load:
        load.more(RATE * 5)  # warm
        warm = len(load.orders)
        load.more(CONFIRMED, seconds=4 * CONFIRMED / RATE)
    catch_up(system)
    orders = [order["id"] for order in load.orders[warm:]]
    p50, p99 = (float(system.sql(TOOK, share, orders)[0][0]) for share in (0.5, 0.99))
    # The last: by then autovacuum has seen what is new. One drain takes 15 s, and differs from the next by a tenth.
    drain = median(rate(system, make_backlog(system, ORDERS, skus)) for _ in range(DRAINS))
    return Figures(poll, mean_poll, drain, p50, p99)


@contextmanager
def held_snapshot(system: FaultySystem) -> Iterator[None]:
    with psycopg.connect(system.servers.database_url, application_name=NAME) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM events_delivery")
        yield
        other.rollback()


def churn(system: FaultySystem) -> None:
    with psycopg.connect(system.servers.database_url) as other:
        other.execute(INSERT, [CHURN])
        for change in LIVES:
            other.execute(f"UPDATE events_delivery SET {change} WHERE starts_with(handler, 'churn ')")


@pytest.mark.chaos
def test_a_snapshot_that_is_held_slows_neither_polls_nor_the_drain_nor_orders_and_its_holder_is_named(
    system: FaultySystem,
) -> None:
    skus = [system.product(20_000) for _ in range(20)]
    measure_once = rate(system, make_backlog(system, ORDERS, skus))  # warm, as what comes after is
    before = measure(system, skus)
    with held_snapshot(system):
        churn(system)
        meanwhile = measure(system, skus)
        until("its holder is named", lambda: NAME in (system.folder / "run.log").read_text(), seconds=90)
    print(f"warm {measure_once:.0f}; before {before}; with {CHURN} deliveries since {meanwhile}")  # noqa: T201
    system.sql("DELETE FROM events_delivery WHERE starts_with(handler, 'churn ')")
    guarantees.hold(system)
    assert meanwhile.poll <= POLL
    assert meanwhile.mean_poll <= POLL + before.mean_poll
    assert meanwhile.drain >= DRAIN * before.drain
    assert meanwhile.p99 <= LATENCY * before.p99
