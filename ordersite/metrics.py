"""GET /metrics, for Prometheus. Everything is asked of PostgreSQL and the broker at that moment: no process counts."""

from collections.abc import Iterator

from django.db import connection, transaction
from django.http import HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from events.models import UnusableMessage
from events.progress import QueueState, queue_states
from ordersite.health import broker_answers

STATEMENT_TIMEOUT = 2_000  # milliseconds: a scraper gives up after ten seconds

# The part of the name after `ordersite_`, what it tells, and where that stands.
OF_QUEUES = [
    (
        "oldest_due_seconds",
        "Seconds for which the first delivery that could run has waited to be started",
        "oldest_due",
    ),
    ("backlog_deliveries", "Deliveries that are due", "backlog"),
    ("dead_letters", "Deliveries that wait for a person", "dead"),
]


class SiteCollector(Collector):
    """What is known of the site at one moment."""

    def __init__(self, queues: dict[str, QueueState], unusable: int, *, broker: bool) -> None:
        self._queues = queues
        self._unusable = unusable
        self._broker = broker

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each metric."""
        for name, text, attribute in OF_QUEUES:
            metric = GaugeMetricFamily(f"ordersite_{name}", f"{text}.", labels=["queue"])
            for queue, state in self._queues.items():
                metric.add_metric([queue], getattr(state, attribute))
            yield metric
        yield GaugeMetricFamily(
            "ordersite_unusable_messages", "Messages kept that no worker could use.", self._unusable
        )
        yield GaugeMetricFamily("ordersite_broker_up", "1 while the broker answers, else 0.", self._broker)


class MetricsView(APIView):
    """GET /metrics."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Answer whatever the scraper accepts: there is one format."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        """Say how the queues are; 503 without the database."""
        registry = CollectorRegistry()
        registry.register(collect())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def collect() -> SiteCollector:
    """Ask PostgreSQL, bounded in time, then the broker. Raises DatabaseError."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(STATEMENT_TIMEOUT)])
        queues, unusable = dict(queue_states()), UnusableMessage.objects.count()
    return SiteCollector(queues, unusable, broker=broker_answers())
