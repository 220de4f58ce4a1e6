"""The legs about size: what a million past orders cost, and what a hundred thousand new ones do to the processes."""

from functools import partial

import psycopg

from benchmarks.kinds import ORDERSITE
from benchmarks.side import Side, side
from benchmarks.speed.backlog import fill_and_drain
from benchmarks.speed.figures import Bar, Figure, Leg, middle, ratio
from benchmarks.speed.intake import post
from benchmarks.speed.proc import megabytes, with_children
from benchmarks.speed.rounds import Bench, bearers, in_turns
from benchmarks.speed.work import OURS, PIECES, Work, place

PAST_ORDERS = 1_000_000
DELIVERIES_EACH = 4
CHUNK = 100_000

FEW, MANY = 1_000, 100_000
"""Orders after which the processes' memory is read."""

AT_ONCE = 1_000_000.0
"""Orders a second: all are due at once, and wait for a connection that is free."""

# Past orders with a line, a step, an event and done deliveries each; their ids are of yesterday, so that new ones
# come behind them, as they would. Loaded by the server itself, which is COPY without the way there and back.
_PAST = f"""
WITH past AS MATERIALIZED (
    SELECT n, uuidv7(interval '-1 day' - n * interval '1 ms') AS id,
           uuidv7(interval '-1 day' - n * interval '1 ms') AS event,
           now() - interval '1 day' - n * interval '1 ms' AS at
    FROM generate_series(%(first)s, %(last)s) AS n
), orders AS (
    INSERT INTO orders_order (id, number, user_id, status, currency, total, rejection_reason, created_at, updated_at)
    SELECT id, 'P-' || n, %(user)s, 'fulfilled', 'EUR', 5, '', at, at FROM past
), lines AS (
    INSERT INTO orders_orderline (id, order_id, position, sku, name, quantity, unit_price, line_total)
    SELECT gen_random_uuid(), id, 0, 'TEA-' || n %% 20, 'Tea', 1, 5, 5 FROM past
), steps AS (
    INSERT INTO orders_statuschange (id, order_id, from_status, to_status, reason, at)
    SELECT uuidv7(interval '-1 day'), id, '', 'pending', '', at FROM past
), counters AS (
    INSERT INTO events_subjectcounter (subject, last) SELECT id, 1 FROM past
), events AS (
    INSERT INTO events_event (id, source, type, subject, sequence, time, correlation_id, data)
    SELECT event, '/ordersite', 'order.created.v1', id, 1, at, 'past', '{{}}' FROM past
)
INSERT INTO events_delivery (
    id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds, max_attempts, dead_holds,
    created_at, state, due_at, worker, started_at, attempts, handled_at)
SELECT uuidv7(interval '-1 day'), event, 'order.created.v1', id, 1, 'past.' || k, 'past', 'past', 30, 10, false,
       at, 'done', at, 'past', at, 1, at
FROM past, generate_series(1, {DELIVERIES_EACH}) AS k
"""


def growth(bench: Bench) -> Leg:
    """Intake and drain with a million past orders and four million done deliveries, beside empty tables."""
    orders = max(300, bench.orders // 2)
    with (
        side(ORDERSITE, bench.place, broker=1, database="bench-empty") as empty,
        side(ORDERSITE, bench.place, broker=2, database="bench-grown") as grown,
    ):
        load_past(bench, grown)
        for it in (empty, grown):
            it.start("web")
        posts = {name: partial(_rate, it) for name, it in (("empty", empty), ("grown", grown))}
        found = in_turns(bench, posts)
        for it in (empty, grown):
            it.stop("web")
            _forget_undone(it)
        drains = {name: partial(fill_and_drain, bench, it, orders) for name, it in (("empty", empty), ("grown", grown))}
        drained = in_turns(bench, drains)
    figures = [middle("accepted", name, rates, "orders/s") for name, rates in found.items()]
    figures += [middle("handled", name, rates, "deliveries/s") for name, rates in drained.items()]
    bars = [
        Bar("intake with a million orders ÷ empty", ratio(found["grown"], found["empty"]), 0.9, 1.0),
        Bar("drain with a million orders ÷ empty", ratio(drained["grown"], drained["empty"]), 0.9, 1.0),
    ]
    return Leg(figures, bars)


def _rate(it: Side) -> float:
    return post(it, OURS, bearers(it))[0]


def load_past(bench: Bench, it: Side, orders: int = PAST_ORDERS) -> None:
    """Fill the tables with orders of the past, and let PostgreSQL know how much it is."""
    with psycopg.connect(it.database_url, autocommit=True) as connection:
        user = connection.execute("SELECT id FROM users_user LIMIT 1").fetchall()[0][0]
        for first in range(1, orders + 1, CHUNK):
            bench.say(f"{first - 1:,} of {orders:,} past orders")
            connection.execute(_PAST, {"first": first, "last": min(orders, first + CHUNK - 1), "user": user})
        bench.say("VACUUM ANALYZE")
        connection.execute("VACUUM ANALYZE")


def _forget_undone(it: Side) -> None:
    """End what the orders of the intake would still have to do, so that both sides drain the same."""
    it.sql("UPDATE events_delivery SET state = 'done', handled_at = now() WHERE state = 'pending'")
    it.sql("VACUUM ANALYZE events_delivery")


def memory(bench: Bench) -> Leg:
    """The memory of each process after a thousand orders and after a hundred thousand."""
    with side(ORDERSITE, bench.place, broker=1) as it:
        it.start("web")
        work = Work(it)
        _place(bench, it, FEW)
        it.start(*it.supervisor.processes.keys() - {"web"})  # on a backlog, so that every process has work, and is warm
        work.drain(FEW * PIECES, bench.say)
        few = resident(it)
        _place(bench, it, MANY - FEW)
        work.drain(MANY * PIECES, bench.say)
        many = resident(it)
    figures = [Figure(f"memory after {FEW:,} orders", name, value, "MB") for name, value in few.items()]
    figures += [Figure(f"memory after {MANY:,} orders", name, value, "MB") for name, value in many.items()]
    name, worst = max(((name, many[name] / few[name]) for name in few.keys() & many.keys()), key=lambda each: each[1])
    return Leg(
        figures, [Bar(f"memory after {MANY:,} orders ÷ after {FEW:,}; the worst: {name}", worst, 1.1, 1.0, True)]
    )


def _place(bench: Bench, it: Side, number: int) -> None:
    """Place so many orders as fast as the connections allow."""
    for placed in range(0, number, FEW):  # each is answered: those cut off would be placed, and not counted
        place(it, rate=AT_ONCE, seconds=FEW / AT_ONCE)
        bench.say(f"{placed + FEW:,} of {number:,} orders placed")


def resident(it: Side) -> dict[str, float]:
    """Return the MB that each process has for itself (its share of what it shares counts in part), by name."""
    found = {}
    for name, process in it.supervisor.processes.items():
        if process.pid:
            for number, pid in enumerate(with_children(process.pid)):
                found[f"{name} {number}" if number else name] = megabytes(pid)
    return found
