"""GET /metrics, for Prometheus: what the bus has done and how it is, and the requests answered."""

from django.http import HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from events.operations.metrics import look
from telemetry import http_metrics


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
        text = generate_latest(registry) + generate_latest(http_metrics.all_processes())
        return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)
