"""The three apps that are compared: how each is started, where its books are, and what of its work still waits."""

import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import psycopg
from redis import Redis

from benchmarks.books import Queries, Waiting
from benchmarks.kinds import Kind, ordersite

THREADS = 16
"""Of each of the usual app's two web processes: while the broker is away each order holds one for seconds."""


@dataclass(frozen=True)
class App:
    """An app that can be compared. `waiting` takes the URLs of its database and its broker."""

    title: str
    kind: Kind
    path: str
    scheme: str
    broker: int
    queries: Queries
    waiting: Callable[[str, str], Waiting]


def usual_processes(port: int, folder: Path) -> dict[str, list[str]]:
    """Return the web and one worker, both as their documentation starts them."""
    options = ["--interface", "wsgi", "--workers", "2", "--blocking-threads", str(THREADS), "--port", str(port)]
    web = [sys.executable, "-m", "granian", *options, "--respawn-failed-workers", "benchmarks.usual.wsgi:application"]
    return {"web": web, "worker": [sys.executable, "-m", "celery", "-A", "benchmarks.usual", "worker", "-l", "INFO"]}


def waiting_messages(database_url: str, broker_url: str) -> Waiting:
    """Read what Celery keeps in the broker: its queue, and what it handed out and had no acknowledgement for."""
    with Redis.from_url(broker_url, decode_responses=True) as broker:
        held = [json.loads(entry)[0] for entry in cast(list[str], broker.hvals("unacked"))]
        queued = [json.loads(entry) for entry in cast(list[str], broker.lrange("celery", 0, -1))]
    tasks = [_task(message) for message in held + queued if "task" in message["headers"]]

    def orders(task: str) -> frozenset[str]:
        return frozenset(order for name, order in tasks if name.endswith(task))

    return Waiting(orders("process_order"), orders("send_order_mail"), len(orders("count_sale")))


def _task(message: Mapping[str, Any]) -> tuple[str, str]:
    arguments = json.loads(base64.b64decode(message["body"]))[0]
    return message["headers"]["task"], str(arguments[0])


def waiting_deliveries(database_url: str, broker_url: str) -> Waiting:
    """Read what the deliveries say; what is in the broker does not matter."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT subject::text, event_type, handler FROM events_delivery WHERE state NOT IN ('done', 'discarded')"
        ).fetchall()
    outcomes = frozenset(order for order, _, handler in rows if handler.startswith(("inventory.", "orders.")))
    mails = frozenset(order for order, _, handler in rows if handler.startswith("notifications."))
    sales = sum(row[1:] == ("order.confirmed.v1", "analytics.track_order") for row in rows)
    return Waiting(outcomes, mails, sales)


USUAL = App(
    title="usual, Celery's defaults",
    kind=Kind(
        name="usual",
        prepare="benchmarks.usual.prepare",
        processes=usual_processes,
        ready={"worker": " ready."},
        environment={"DJANGO_SETTINGS_MODULE": "benchmarks.usual.settings"},
    ),
    path="/api/orders/",
    scheme="Token",
    broker=1,
    queries=Queries(
        orders="SELECT o.id::text, o.status, (SELECT count(*) FROM shop_mail m WHERE m.order_id = o.id)"
        " FROM shop_order o",
        counted="SELECT sum(orders) FROM shop_dailysales",
        sold="SELECT sum(quantity) FROM shop_orderitem i JOIN shop_order o ON o.id = i.order_id"
        " WHERE o.status = 'confirmed'",
        available="SELECT sum(stock) FROM shop_product",
    ),
    waiting=waiting_messages,
)
USUAL_LATE = replace(
    USUAL,
    title="usual, `acks_late` and `reject_on_worker_lost`",
    kind=replace(USUAL.kind, name="usual-late", environment={**USUAL.kind.environment, "ACKS_LATE": "1"}),
)
ORDERSITE = App(
    title="ordersite",
    kind=ordersite(LOG_FORMAT="text"),
    path="/api/v1/orders",
    scheme="Bearer",
    broker=2,
    queries=Queries(
        orders="SELECT o.id::text, o.status, (SELECT count(*) FROM notifications_notification n"
        " JOIN events_event e ON e.id = n.event_id WHERE e.subject = o.id AND n.state = 'sent'"
        " AND n.template IN ('order_confirmed', 'order_rejected')) FROM orders_order o",
        counted="SELECT sum(orders) FROM analytics_dailysales WHERE status = 'confirmed'",
        sold="SELECT sum(quantity) FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id"
        " WHERE o.status = 'confirmed'",
        available="SELECT sum(on_hand - reserved) FROM inventory_stockitem",
    ),
    waiting=waiting_deliveries,
)
APPS = {app.kind.name: app for app in (USUAL, USUAL_LATE, ORDERSITE)}
