"""Counts what happens on the bus, from the rows that it leaves: for charts and metrics, over any number of processes.

A process that counted for itself would forget at its end, and each would know a part. Here the relay counts, every few
seconds, what was committed since the last time, once: into the minute and the hour in which it happened, and into the
sum of all. Nothing on the way of a delivery pays for it.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta

from events import commit_horizon
from events.chunks import first_id_at
from events.floors import Floors
from events.policy import default_limits
from events.sql import bounded_transaction, execute, fetch
from events.statistics.progress import queue_states

logger = logging.getLogger(__name__)

# Upper bounds of the buckets in seconds; what took longer is in one more.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
BUCKETS = len(BOUNDS) + 1

STEP = 600  # seconds that are counted at once: after a day without a relay it catches up in several turns
CLOCKS = timedelta(seconds=30)  # by which PostgreSQL's clock may differ from those of web servers, which make the ids


def advance() -> bool:
    """Count what happened since the last time, unless another relay is at it; tell whether there is more to count.

    Where PostgreSQL's clock has stepped back, the time that it shows again is counted again: to wait until it is over
    would leave an hour, say, without a count of what dies in it.
    """
    with bounded_transaction(default_limits()):
        if fetch(_BRING_DOWN_MARK, {}):
            logger.warning("PostgreSQL's clock has stepped back: statistics of the time that it shows again add up")
        longest = commit_horizon.longest_transaction()
        rows = fetch(_NEXT_WINDOW, {"step": STEP, "longest": longest, "margin": commit_horizon.MARGIN})
        if not rows:
            execute(_FIRST_MARK, {})
            return False
        since, until, more = rows[0]
        ids = {"first_id": first_id_at(since - CLOCKS), "last_id": first_id_at(until + CLOCKS)}
        execute(_COUNT, {"since": since, "until": until} | ids)
        execute("UPDATE events_tallymark SET until = %(until)s", {"until": until})
        return bool(more)


def sample(since: Floors | None = None) -> None:
    """Note the backlog, and how long its first has waited: of each minute and hour the highest is kept."""
    with bounded_transaction(default_limits()):
        states = queue_states(since)
        backlogs = [state.backlog for state in states.values()]
        ages = [state.oldest_due for state in states.values()]
        execute(_SAMPLE, {"names": list(states), "backlogs": backlogs, "ages": ages})


def note(what: str, by_handler: Mapping[str, int]) -> None:
    """Count what leaves no row to count later, in the transaction that does it: leases that ran out, for one.

    The last thing in it, so that nobody waits for these rows and holds others.
    """
    if by_handler:
        execute(_NOTE, {"what": what, "names": list(by_handler), "counts": list(by_handler.values())})


# Up to the moment at which the oldest open transaction began, all `handled_at` and events' `time` are there to be seen
# (events/commit_horizon.py); one that is frozen is waited for until PostgreSQL ends it. This statement's answer comes
# before the snapshot in which is counted.
_NEXT_WINDOW = f"""
WITH mark AS (
    SELECT until FROM events_tallymark FOR NO KEY UPDATE SKIP LOCKED
), committed AS (
    SELECT greatest(clock_timestamp() - make_interval(secs => %(longest)s),
                    least(clock_timestamp(), min(xact_start)) - make_interval(secs => %(margin)s)) AS until
    FROM {commit_horizon.OTHERS}
)
SELECT mark.until, least(committed.until, mark.until + make_interval(secs => %(step)s)),
       committed.until > mark.until + make_interval(secs => %(step)s)
FROM mark, committed WHERE committed.until > mark.until
"""

# The mark is always behind the clock, unless that stepped back.
_BRING_DOWN_MARK = """
UPDATE events_tallymark SET until = clock_timestamp()
WHERE id IN (SELECT id FROM events_tallymark WHERE until > clock_timestamp() FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""

# It counts from the moment at which a relay first asked.
_FIRST_MARK = "INSERT INTO events_tallymark (id, until) VALUES (1, clock_timestamp()) ON CONFLICT DO NOTHING"


def _buckets(seconds: str) -> str:
    """Return the array of how many of a group's `seconds` (an expression) fall into each bucket."""
    bounds = [f"{bound}" for bound in BOUNDS]
    lower, upper = ["'-infinity'", *bounds], [*bounds, "'infinity'"]
    counts = [
        f"count(*) FILTER (WHERE {seconds} > {low}::float8 AND {seconds} <= {high}::float8)"
        for low, high in zip(lower, upper, strict=True)
    ]
    return f"ARRAY[{', '.join(counts)}]::bigint[]"


def _added(column: str) -> str:
    """Return the sum of two arrays, element by element; either may be NULL."""
    return f"""CASE WHEN t.{column} IS NULL THEN EXCLUDED.{column} WHEN EXCLUDED.{column} IS NULL THEN t.{column}
        ELSE ARRAY(SELECT a + b FROM unnest(t.{column}, EXCLUDED.{column}) WITH ORDINALITY AS u (a, b, n) ORDER BY n)
        END"""


def _within(column: str) -> str:
    return f"{column} > %(since)s AND {column} <= %(until)s"


_WAITED = "extract(epoch FROM handled_at - created_at)::float8"
_RAN = "extract(epoch FROM handled_at - started_at)::float8"

# (grain, moment) of a time `at`; the sums of all stand at the beginning of time.
_GRAINS = """(VALUES ('minute', date_trunc('minute', at)), ('hour', date_trunc('hour', at)),
                     ('ever', 'epoch'::timestamptz)) AS grains (grain, moment)"""

_COUNT = f"""
WITH happened AS (
    SELECT 'done' AS what, handler AS name, handled_at AS at, {_WAITED} AS waited, {_RAN} AS ran
    FROM events_delivery WHERE state = 'done' AND {_within("handled_at")}
    UNION ALL
    SELECT 'published', type, time, NULL, NULL
    FROM events_event
    WHERE id > %(first_id)s AND id < %(last_id)s AND {_within("time")}
    UNION ALL
    SELECT 'failed', d.handler, f.ended_at, NULL, NULL
    FROM events_failedattempt f JOIN events_delivery d ON d.id = f.delivery_id WHERE {_within("f.ended_at")}
    UNION ALL
    SELECT 'dead', handler, handled_at, NULL, NULL
    FROM events_delivery WHERE state = 'dead' AND {_within("handled_at")}
    UNION ALL
    SELECT 'dead', d.handler, s.died_at, NULL, NULL
    FROM events_decision s JOIN events_delivery d ON d.id = s.delivery_id WHERE {_within("s.died_at")}
    UNION ALL
    SELECT CASE s.action WHEN 'replay' THEN 'replayed' ELSE 'discarded' END, d.handler, s.at, NULL, NULL
    FROM events_decision s JOIN events_delivery d ON d.id = s.delivery_id WHERE {_within("s.at")}
)
INSERT INTO events_tally AS t (grain, at, what, name, count, waited_seconds, ran_seconds, waited, ran)
SELECT grain, moment, what, name, count(*), coalesce(sum(waited), 0), coalesce(sum(ran), 0),
       CASE what WHEN 'done' THEN {_buckets("waited")} END, CASE what WHEN 'done' THEN {_buckets("ran")} END
FROM happened, LATERAL {_GRAINS}
GROUP BY grain, moment, what, name ORDER BY grain, moment, what, name
ON CONFLICT (grain, at, what, name) DO UPDATE
SET count = t.count + EXCLUDED.count, waited_seconds = t.waited_seconds + EXCLUDED.waited_seconds,
    ran_seconds = t.ran_seconds + EXCLUDED.ran_seconds, waited = {_added("waited")}, ran = {_added("ran")}
"""

_NOTE = f"""
INSERT INTO events_tally AS t (grain, at, what, name, count)
SELECT grain, moment, %(what)s, name, count
FROM unnest(%(names)s::text[], %(counts)s::bigint[]) AS noted (name, count),
     (SELECT clock_timestamp() AS at) AS clock, LATERAL {_GRAINS}
ORDER BY grain, moment, name
ON CONFLICT (grain, at, what, name) DO UPDATE SET count = t.count + EXCLUDED.count
"""

_SAMPLE = f"""
INSERT INTO events_tally AS t (grain, at, what, name, count, waited_seconds)
SELECT grain, moment, 'backlog', name, backlog, age
FROM unnest(%(names)s::text[], %(backlogs)s::bigint[], %(ages)s::float8[]) AS seen (name, backlog, age),
     (SELECT clock_timestamp() AS at) AS clock, LATERAL {_GRAINS}
WHERE grain <> 'ever' ORDER BY grain, moment, name
ON CONFLICT (grain, at, what, name) DO UPDATE
SET count = greatest(t.count, EXCLUDED.count), waited_seconds = greatest(t.waited_seconds, EXCLUDED.waited_seconds)
"""
