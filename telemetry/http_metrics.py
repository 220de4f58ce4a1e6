"""Counts requests and times them, by route. Each web process counts; /metrics adds them up.

The processes of one web server share a folder of small files, which prometheus-client maps into memory
(https://prometheus.github.io/client_python/multiprocess/); wsgi.py names it.
"""

import os
import time
from functools import cache

from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector

from telemetry.request_id import GetResponse

# Seconds. Around 10 ms, where an answer usually is, finely; beyond 10 s nothing is answered (settings.py).
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
UNMATCHED = "unmatched"  # the route of what no path of ours matches, and of static files

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, that nobody asks for
registry = CollectorRegistry()
requests = Counter(
    "ordersite_http_requests", "Requests that were answered.", ["method", "route", "status"], registry=registry
)
seconds = Histogram(
    "ordersite_http_request_seconds",
    "Seconds from a request's arrival in the application to its answer.",
    ["method", "route"],
    buckets=BUCKETS,
    registry=registry,
)


class MetricsMiddleware:
    """Counts each request under its route, of which there are as many as urls.py has: never under its path."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self._get_response(request)
        method = request.method if request.method in METHODS else "other"
        route = _route_label((request.resolver_match and request.resolver_match.route) or "")
        requests.labels(method, route, str(response.status_code)).inc()
        seconds.labels(method, route).observe(time.perf_counter() - started)
        return response


@cache
def _route_label(route: str) -> str:
    """Return the pattern as a person would write it: /products/<sku>."""
    return simplify_regex(route) if route else UNMATCHED


def all_processes() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return registry
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together
