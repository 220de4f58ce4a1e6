"""What the bus has done and how it is, for Prometheus, asked of PostgreSQL.

What the bus has done is counted in PostgreSQL (events/statistics/tally.py): the same from every web process and across
restarts. It is some seconds old.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, product

from django.db import connection, transaction
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from events.conf import setting
from events.models import Tally, UnusableMessage
from events.operations.activity import Activity, activity
from events.operations.availability import broker_refusal, why_no_writes
from events.statistics.progress import QueueState, queue_states
from events.statistics.snapshots import Holder, oldest_holder
from events.statistics.tallies import counted_until, totals
from events.statistics.tally import BOUNDS, BUCKETS
from events.subscriptions import known_types, the_map

STATEMENT_TIMEOUT = 2_000  # milliseconds: a scraper gives up after ten seconds

# The part of the name after the prefix, what it tells, and where that stands.
OF_QUEUES = [
    (
        "oldest_due_seconds",
        "Seconds for which the first delivery that could run has waited to be started",
        "oldest_due",
    ),
    (
        "relay_lag_seconds",
        "Seconds for which the first delivery that could run has waited for a relay to send it",
        "unsent",
    ),
    ("backlog_deliveries", "Deliveries that are due", "backlog"),
    ("dead_letters", "Deliveries that wait for a person", "dead"),
]

# The same of what was counted (Tally.what): name, text, label.
COUNTED = {
    "published": ("events_published", "Events that were committed", "type"),
    "failed": ("failed_attempts", "Attempts that counted and failed", "handler"),
    "expired": ("lease_expiries", "Leases that ran out: a message was lost, or a worker", "handler"),
    "ahead": (
        "times_ahead",
        "Leases and due times that lay further ahead than they can: PostgreSQL's clock stepped back",
        "handler",
    ),
    "replayed": ("dead_letters_replayed", "Dead letters that a person had sent again", "handler"),
}
OUTCOMES = ("done", "dead", "discarded")
HISTOGRAMS = [
    ("delivery_seconds", "Seconds from an event's commit until a handler was done with it", "waited"),
    ("handler_seconds", "Seconds from a delivery's start until it was done", "ran"),
]


@dataclass(frozen=True, eq=False)  # a registry looks collectors up by their identity
class Site(Collector):
    """What is known of the site at one moment, and the metrics that tell it."""

    queues: Mapping[str, QueueState]
    totals: Sequence[Tally]
    counted_until: datetime | None
    unusable: int
    activity: Activity
    takes_writes: bool
    holder: Holder | None
    broker: bool

    def collect(self) -> Iterator[Metric]:
        for name, kind in setting("SERVICES").items():
            yield GaugeMetricFamily(
                _name(f"{kind}_up"), f"1 while a {name} server is at work.", kind in self.activity.kinds
            )
        for name, text, attribute in OF_QUEUES:
            gauge = GaugeMetricFamily(_name(name), f"{text}.", labels=["queue"])
            for queue, state in self.queues.items():
                gauge.add_metric([queue], getattr(state, attribute))
            yield gauge
        yield from self._counted()
        yield from self._site_metrics()

    def _counted(self) -> Iterator[Metric]:
        for what, (name, text, label) in COUNTED.items():
            counter = CounterMetricFamily(_name(name), f"{text}.", labels=[label])
            for tally in self._tallies(what):
                counter.add_metric([tally.name], tally.count)
            yield counter
        ends = CounterMetricFamily(
            _name("deliveries"), "Deliveries that came to this end.", labels=["handler", "outcome"]
        )
        for tally in self._tallies(*OUTCOMES):
            ends.add_metric([tally.name, tally.what], tally.count)
        yield ends
        for name, text, attribute in HISTOGRAMS:
            histogram = HistogramMetricFamily(_name(name), f"{text}.", labels=["handler"])
            for tally in self._tallies("done"):
                bounds = [*map(str, BOUNDS), "+Inf"]
                cumulated = map(float, accumulate(getattr(tally, attribute)))
                buckets = list(zip(bounds, cumulated, strict=True))
                histogram.add_metric([tally.name], buckets, getattr(tally, f"{attribute}_seconds"))
            yield histogram

    def _site_metrics(self) -> Iterator[Metric]:
        until = self.counted_until.timestamp() if self.counted_until else 0.0
        seen = self.activity
        for name, text, value in (
            ("counted_until_timestamp_seconds", "Until when what happened is counted here", until),
            ("unusable_messages", "Messages kept that no worker could use", self.unusable),
            ("relays", "Relays at work", seen.relays),
            ("oldest_transaction_seconds", "Age of the oldest open transaction", seen.oldest_transaction),
            (
                "oldest_snapshot_transactions",
                "Transactions begun since the oldest snapshot that is held",
                seen.oldest_snapshot,
            ),
            (
                "commit_wait_seconds",
                "Seconds for which a commit has waited for a synchronous standby",
                seen.commit_wait,
            ),
            ("database_takes_writes", "1 while the database takes writes, else 0", self.takes_writes),
            ("broker_up", "1 while the broker takes messages, else 0", self.broker),
        ):
            yield GaugeMetricFamily(_name(name), f"{text}.", value)
        yield self._held_snapshot()

    def _held_snapshot(self) -> Metric:
        """Return the one series of who holds an old snapshot, or none: so names and pids add up to no more."""
        metric = GaugeMetricFamily(
            _name("held_snapshot_transactions"),
            "Transactions begun since the oldest snapshot, where it is held for more than a minute; by who holds it.",
            labels=["kind", "pid", "name", "user", "client", "state"],
        )
        if holder := self.holder:
            pid = str(holder.pid or "")
            labels = [holder.kind, pid, holder.name, holder.user, holder.client, holder.state]
            metric.add_metric(labels, holder.transactions)
        return metric

    def _tallies(self, *what: str) -> Iterable[Tally]:
        return (tally for tally in self.totals if tally.what in what)


def look() -> Site:
    """Ask PostgreSQL, bounded in time, then the broker. Raises DatabaseError."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(STATEMENT_TIMEOUT)])
        tallies = _complete(totals())
        found = (
            queue_states(),
            tallies,
            counted_until(),
            UnusableMessage.objects.count(),
            activity(),
            not why_no_writes(),
            oldest_holder(),
        )
    return Site(*found, broker=not broker_refusal())


def _complete(tallies: Iterable[Tally]) -> Sequence[Tally]:
    """Add those of what has not happened yet, with zero.

    Prometheus sees no increase in what begins with 1: without a zero before it, the first dead letter of a handler
    would raise no alarm (https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics).
    """
    can_happen = [
        *product(["published"], known_types()),
        *product(["failed", "expired", "ahead", "replayed", *OUTCOMES], the_map().handler_names()),
    ]
    zeros = [0] * BUCKETS
    found = {
        (what, name): Tally(what=what, name=name, count=0, waited_seconds=0.0, ran_seconds=0.0, waited=zeros, ran=zeros)
        for what, name in can_happen
    }
    found |= {(tally.what, tally.name): tally for tally in tallies}
    return [found[key] for key in sorted(found)]


def _name(name: str) -> str:
    return f"{setting('METRICS_PREFIX')}_{name}"
