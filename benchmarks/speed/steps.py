"""The leg of what is added as there are more orders: each step of docs/capacity.md that one machine can show."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import psycopg

from benchmarks.speed.backlog import fill_and_drain
from benchmarks.speed.figures import Leg, middle
from benchmarks.speed.intake import post
from benchmarks.speed.loads import OURS
from benchmarks.speed.pooler import pooler
from benchmarks.speed.rounds import Bench, NotHere, bearers, in_turns
from benchmarks.speed.side import ORDERSITE, Kind, side

OLD = 200_000
"""Done deliveries that are to go, in the comparison of purges."""

CHUNK = 5_000
"""Rows a transaction, as events/purge.py has it."""

TWO_RELAYS = replace(ORDERSITE, processes={**ORDERSITE.processes, "relay-2": ORDERSITE.processes["relay"]})


def steps(bench: Bench) -> Leg:
    """What is added as there are more orders: a second relay, PgBouncer, partitions."""
    orders = max(300, bench.orders // 2)
    with ExitStack() as stack:
        kinds = {"as it is": ORDERSITE, "two relays": TWO_RELAYS}
        try:
            kinds["through PgBouncer"] = _pooled(stack.enter_context(pooler(bench.place)))
        except NotHere as error:
            bench.say(f"without PgBouncer: {error}")
        found = in_turns(bench, {name: partial(_measure, bench, kind, orders) for name, kind in kinds.items()})
    figures = [middle("accepted", name, [each[0] for each in rounds], "orders/s") for name, rounds in found.items()]
    figures += [middle("handled", name, [each[1] for each in rounds], "deliveries/s") for name, rounds in found.items()]
    purges = in_turns(bench, _purges(bench))
    figures += [middle(f"{OLD:,} old deliveries go", name, seconds, "s") for name, seconds in purges.items()]
    return Leg(figures)


def _pooled(url: str) -> Kind:
    """Return our side behind PgBouncer; before 1.21 it can keep no prepared statements."""
    at = f"{url}/{_database(ORDERSITE)}"
    return replace(ORDERSITE, environment={**ORDERSITE.environment, "DATABASE_URL": at, "PREPARED_STATEMENTS": "0"})


def _database(kind: Kind) -> str:
    return f"bench-{kind.name}"


def _measure(bench: Bench, kind: Kind, orders: int) -> tuple[float, float]:
    with side(kind, bench.place, broker=1, database=_database(kind)) as it:
        it.start("web")
        accepted = post(it, OURS, bearers(it))[0]
        it.stop("web")
        it.sql("TRUNCATE events_event, events_delivery, events_failedattempt, events_decision CASCADE")
        return accepted, fill_and_drain(bench, it, orders)


def _purges(bench: Bench) -> dict[str, Callable[[], float]]:
    """Return the two ways in which old deliveries go."""
    return {
        "deleted in chunks": partial(_seconds, bench, _DELETE),
        "a partition is dropped": partial(
            _seconds, bench, "ALTER TABLE bench_partitioned DETACH PARTITION bench_old; DROP TABLE bench_old"
        ),
    }


def _seconds(bench: Bench, statement: str) -> float:
    """Fill a table of deliveries, plain and as the partition of a day, and time how what is old goes."""
    url = urlsplit(bench.place.database_url).geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FILL.format(rows=OLD))
        began = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchall()[0][0]
        connection.execute(statement.format(chunk=CHUNK))
        ended = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchall()[0][0]
        connection.execute("DROP TABLE IF EXISTS bench_plain, bench_partitioned, bench_old")
    return float(ended - began)


_COLUMNS = "id uuid, event_id uuid, subject uuid, handler text, state text, handled_at timestamptz"
_ROWS = (
    """SELECT uuidv7(), uuidv7(), uuidv7(), 'h', 'done', now() - interval '100 days' FROM generate_series(1, {rows})"""
)
_INDEXES = """
CREATE UNIQUE INDEX ON {0} (id, handled_at); CREATE UNIQUE INDEX ON {0} (event_id, handler, handled_at);
CREATE INDEX ON {0} (handled_at) WHERE state = 'done';
"""
_FILL = f"""
DROP TABLE IF EXISTS bench_plain, bench_partitioned, bench_old;
CREATE TABLE bench_plain ({_COLUMNS}); {_INDEXES.format("bench_plain")}
CREATE TABLE bench_partitioned ({_COLUMNS}) PARTITION BY RANGE (handled_at);
CREATE TABLE bench_old PARTITION OF bench_partitioned FOR VALUES FROM ('2000-01-01') TO ('2100-01-01');
{_INDEXES.format("bench_old")}
INSERT INTO bench_plain {_ROWS}; INSERT INTO bench_partitioned {_ROWS};
"""
_DELETE = """
DO $$ BEGIN LOOP
    DELETE FROM bench_plain WHERE id IN (
        SELECT id FROM bench_plain WHERE state = 'done' AND handled_at < now() - interval '90 days'
        ORDER BY handled_at LIMIT {chunk} FOR UPDATE SKIP LOCKED);
    EXIT WHEN NOT FOUND; COMMIT;
END LOOP; END $$
"""
