"""Counts calls and logs each, as the web does with requests."""

import logging

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from rpc.errors import ShuttingDown

logger = logging.getLogger(__name__)

# Seconds. Around a millisecond, where an answer usually is, finely.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
HEALTH = "/grpc.health.v1.Health/"
# Ours, and not the caller's: the others say that it asked for what it cannot have, or went away.
_FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, that nobody here asks for
registry = CollectorRegistry()
requests = Counter("ordersite_grpc_requests", "Calls that ended.", ["method", "code"], registry=registry)
seconds = Histogram(
    "ordersite_grpc_request_seconds",
    "Seconds from a call's arrival to its end; of a stream, to the stream's.",
    ["method"],
    buckets=BUCKETS,
    registry=registry,
)
watchers = Gauge("ordersite_grpc_watchers", "Calls that watch an order.", registry=registry)


def is_fault(code: grpc.StatusCode, error: BaseException | None) -> bool:
    """Tell whether a call that ended so, by an error, is one to look after.

    That this server is told to end, and who watches is to call another one, is none: each deploy does that.
    """
    return code in _FAULTS and not isinstance(error and error.__cause__, ShuttingDown)


def log_call(method: str, code: grpc.StatusCode, took: float, *, failed: bool) -> None:
    """Count a call that ended after so many seconds, and log it. Health checks that find all well are not logged."""
    counted = "unknown" if code is grpc.StatusCode.UNIMPLEMENTED else method  # of names made up there is no end
    requests.labels(counted, code.name).inc()
    seconds.labels(counted).observe(took)
    milliseconds = round(took * 1000, 1)
    fields = {"method": counted, "code": code.name, "milliseconds": milliseconds}
    level = _level(method, code, failed=failed)
    logger.log(level, "%s: %s after %.0f ms", counted, code.name, milliseconds, extra=fields)


def _level(method: str, code: grpc.StatusCode, *, failed: bool) -> int:
    if failed:
        return logging.ERROR
    return logging.DEBUG if method.startswith(HEALTH) and code is grpc.StatusCode.OK else logging.INFO
