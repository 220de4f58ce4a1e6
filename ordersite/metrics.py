"""GET /metrics, for Prometheus: what the bus has done and how it is, and the requests answered."""

from collections.abc import Iterator

from django.http import HttpResponse
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from events.operations.metrics import look
from postgres.replica import is_configured, seconds_behind
from telemetry import http_metrics


class Replica(Collector):
    """How far the read replica is behind, where there is one."""

    def collect(self) -> Iterator[Metric]:
        text = "for how many seconds the read replica is behind, at most; +Inf where it is away"
        behind = GaugeMetricFamily("ordersite_replica_behind_seconds", text)
        if is_configured():
            behind.add_metric([], seconds_behind())
        yield behind


class MetricsView(APIView):
    """GET /metrics."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return super().perform_content_negotiation(request, force=True)  # whatever is accepted: there is one format

    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        registry.register(look())
        registry.register(Replica())
        text = generate_latest(registry) + generate_latest(http_metrics.all_processes())
        return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)
