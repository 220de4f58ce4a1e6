"""The leg about watching: what the operations page and /metrics ask, with little behind them and with a lot."""

import json
from contextlib import ExitStack

from benchmarks.speed.figures import Figure, Leg, middle
from benchmarks.speed.growth import load_past
from benchmarks.speed.rounds import Bench
from benchmarks.speed.side import ORDERSITE, Side, side
from events.tally import BUCKETS

ASKED = 20
"""Times that each question is asked."""

# As many rows as are kept at most (events/tally.py): minutes of two days, hours of ninety, each of every name.
_TALLIES = """
INSERT INTO events_tally (grain, at, what, name, count, waited_seconds, ran_seconds, waited, ran)
SELECT grain, at, what, what || '.' || n, 20, 1, 1, b, b
FROM (SELECT 'minute' AS grain, generate_series(now() - interval '2 days', now(), '1 minute') AS at
      UNION ALL SELECT 'hour', generate_series(now() - interval '90 days', now(), '1 hour')
      UNION ALL SELECT 'ever', 'epoch') AS times,
     (SELECT 'done' AS what, n FROM generate_series(1, 17) AS n
      UNION ALL SELECT 'published', n FROM generate_series(1, 9) AS n
      UNION ALL SELECT 'failed', n FROM generate_series(1, 4) AS n
      UNION ALL SELECT 'backlog', n FROM generate_series(1, 5) AS n) AS names,
     (SELECT array_fill(1::bigint, ARRAY[%(buckets)s]) AS b) AS buckets
"""

_DUE = """
UPDATE events_delivery SET state = 'pending', due_at = now() - interval '1 minute', handled_at = NULL,
    queue = 'notifications'
WHERE id IN (SELECT id FROM events_delivery LIMIT 5000)
"""


def watching(bench: Bench) -> Leg:
    """What the operations page and /metrics cost to ask: nothing there; a million orders and 5,000 due deliveries."""
    figures: list[Figure] = []
    with ExitStack() as stack:
        empty = stack.enter_context(side(ORDERSITE, bench.place, broker=1, database="bench-empty"))
        grown = stack.enter_context(side(ORDERSITE, bench.place, broker=2, database="bench-grown"))
        load_past(bench, grown)
        _load_tallies(grown)
        grown.sql(_DUE)
        grown.sql("VACUUM ANALYZE")
        for name, it in (("empty", empty), ("a million orders", grown)):
            bench.say(f"asking: {name}")
            found = json.loads(it.run("benchmarks.ask_how_it_is", str(ASKED)))
            figures += [middle(question, name, took, "ms") for question, took in found.items()]
    return Leg(figures)


def _load_tallies(it: Side) -> None:
    it.sql(_TALLIES, {"buckets": BUCKETS})
