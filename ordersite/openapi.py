"""What the API says of itself: of the pages that watch the site here, and of each app in its own module."""

from analytics import openapi as analytics
from events.rest import openapi as dead_letters
from inventory import openapi as inventory
from orders import openapi as orders
from ordersite.health import LiveSerializer, ReadySerializer
from rest.openapi.described import Described
from rest.openapi.operation import Answer, Operation
from rpc import codes as rpc
from users import openapi as users

METRICS = """# HELP ordersite_backlog_deliveries Deliveries that are due.
# TYPE ordersite_backlog_deliveries gauge
ordersite_backlog_deliveries{queue="inventory"} 0.0
"""

OPERATIONS = {
    "GET /api/schema": Operation(
        id="getSchema",
        tag="site",
        summary="This document",
        description="As JSON; as YAML where the client prefers `application/yaml`.",
        answer=Answer(200, "The OpenAPI document.", {"type": "object"}, {"openapi": "3.1.0"}),
    ),
    "GET /health/live": Operation(
        id="getLiveness",
        tag="site",
        summary="Does the process answer?",
        description="Asks nothing of the database or the broker.",
        answer=Answer(200, "It does.", LiveSerializer, {"status": "ok"}),
    ),
    "GET /health/ready": Operation(
        id="getReadiness",
        tag="site",
        summary="Can requests be served?",
        description="200 while the database answers and takes writes; otherwise 503, and `detail` says why. A broker"
        " that is down does not change that: orders are taken without it. Nor do deliveries that do not move. Comes"
        " within 2.5 s, whichever server hangs, and whatever host the request names.",
        answer=Answer(
            200,
            "They can.",
            ReadySerializer,
            {"status": "ok", "database": "ok", "broker": "ok", "deliveries": "ok", "oldest_due_seconds": 0},
        ),
    ),
    "GET /metrics": Operation(
        id="getMetrics",
        tag="site",
        summary="Metrics for Prometheus",
        description="The state of each queue, asked at that moment.",
        answer=Answer(200, "The metrics.", {"type": "string"}, METRICS, media_type="text/plain"),
    ),
}

WORDS = {
    "Ready": {
        "broker": "`down` where it takes no messages. The site is ready all the same: orders are taken without it.",
        "deliveries": "`stuck`: some could run, and have waited for too long.",
        "oldest_due_seconds": "For how long the first delivery that could run has waited.",
    },
}

DESCRIBED = (
    users.DESCRIBED
    | inventory.DESCRIBED
    | orders.DESCRIBED
    | analytics.DESCRIBED
    | dead_letters.DESCRIBED
    | Described(OPERATIONS, WORDS, codes=rpc.CODES)
)
