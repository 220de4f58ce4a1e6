"""What the API says of itself: of the pages that watch the site here, and of each app in its own module."""

from analytics import openapi as analytics
from events.rest import openapi as dead_letters
from inventory import openapi as inventory
from orders import openapi as orders
from ordersite.health import LiveSerializer, ReadySerializer
from rest.openapi.described import Answer, Described, Operation
from rest.openapi.document import VERSION
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

DESCRIPTION = """\
Take orders, and follow what becomes of them.

**Sign in** with `POST /api/v1/auth/token`, and send what it gives as `Authorization: Bearer TOKEN`.

**Errors** are `application/problem+json` (RFC 9457). Decide by `code`; each has a page of its own, at the problem's
`type`. Beyond what stands with each operation, a request may meet 404 (a path that is not here) and 405 (a method that
the path does not take).

**Staff** need the same permissions as in the admin. Each operation names them in its description and under `security`,
where several entries are alternatives. Without them, the answer is 403 `permission_denied`.

**Repeating a request** is safe under an `Idempotency-Key`, which every POST takes but registration and sign-in. Those
two ignore the header: an account that exists and a second token harm nobody.

**Ids** are UUIDs. **Money** is a decimal string with its currency beside it, and exactly the decimals that ISO 4217
gives that one: `99.99` EUR, `100` JPY, `1.230` KWD. **Times** are RFC 3339 in UTC; those that you send have any offset,
or `Z`. **Days** are `2026-01-05`. **Lists** are pages `{next, previous, results}`; follow `next` until it is null.

**Query parameters** that an operation does not know are 400 by name, as unknown fields of a body are.

Paths answer with and without a slash at the end. `/api/ANYTHING` answers 308 to `/api/v1/ANYTHING`.
"""

HEAD = {
    "openapi": "3.1.0",
    "info": {
        "title": "ordersite",
        "version": VERSION,
        "summary": "An order backend.",
        "description": DESCRIPTION,
        "contact": {"name": "The ordersite team"},
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "servers": [{"url": "/", "description": "This site."}],
}

DESCRIBED = (
    users.DESCRIBED
    | inventory.DESCRIBED
    | orders.DESCRIBED
    | analytics.DESCRIBED
    | dead_letters.DESCRIBED
    | Described(
        OPERATIONS,
        tags={"site": "For load balancers, supervisors, Prometheus, and tools that read this document."},
        codes=rpc.CODES,
        head=HEAD,
    )
)
