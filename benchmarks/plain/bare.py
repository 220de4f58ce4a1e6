"""The floor: the rows that our requests write and read, by SQL in bare Django views.

No framework on top, no authentication (`X-User` says who it is), and no repetition answered: a second request with one
Idempotency-Key fails on the constraint.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from events.subscriptions import the_map
from eventtypes.orders import OrderCreatedV1
from rest.pagination import KeysetPagination

PAGE = KeysetPagination.page_size
COMPACT = {"ensure_ascii": False, "separators": (",", ":")}  # as DRF renders
_json = partial(json.dumps, default=str, **COMPACT)
LINE = ("sku", "name", "quantity", "unit_price", "line_total")
PRODUCT = ("sku", "name", "description", "price", "currency", "available")

# What publish() copies into the deliveries of order.created: consumer and queue are one word.
HANDLERS = [
    (
        handler.name,
        handler.consumer,
        handler.consumer,
        handler.policy.limits.lease,
        handler.policy.max_attempts,
        the_map().consumers[handler.consumer].dead_holds,
        handler.policy.batch,
    )
    for handler in the_map().handlers(OrderCreatedV1)
]

FOR_SALE = "SELECT sku, name, price, currency FROM inventory_product WHERE sku = ANY(%s) AND is_active"
ADD_ORDER = """
INSERT INTO orders_order (id, number, user_id, status, currency, total, rejection_reason, created_at, updated_at)
VALUES (%s, 'O-' || nextval('orders_order_number'), %s, 'pending', %s, %s, '', now(), now())
RETURNING number, created_at
"""
ADD_LINES = """
INSERT INTO orders_orderline (id, order_id, position, sku, name, quantity, unit_price, line_total)
VALUES """
ADD_STATUS = """
INSERT INTO orders_statuschange (id, order_id, from_status, to_status, reason) VALUES (%s, %s, '', 'pending', '')
"""
ADD_COUNTER = "INSERT INTO events_subjectcounter (subject, last) VALUES (%s, 1)"
ADD_EVENT = """
INSERT INTO events_event (id, source, type, subject, sequence, time, correlation_id, data)
VALUES (%s, %s, 'order.created.v1', %s, 1, clock_timestamp(), %s, %s)
"""
ADD_DELIVERIES = """
INSERT INTO events_delivery (
    id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds, max_attempts, dead_holds,
    batch, state, due_at
)
VALUES """
DELIVERY = "(%s, %s, 'order.created.v1', %s, 1, %s, %s, %s, %s, %s, %s, %s, 'pending', now())"
ADD_ANSWER = """
INSERT INTO orders_storedanswer (user_id, route, key, body_hash, status_code, location, body)
VALUES (%s, 'POST /orders', %s, %s, 201, %s, %s)
"""
SHOW_ORDERS = """
SELECT o.id, o.number, o.status, o.currency, o.total, o.rejection_reason, o.created_at, o.updated_at,
       l.sku, l.name, l.quantity, l.unit_price, l.line_total
FROM ({orders}) o JOIN orders_orderline l ON l.order_id = o.id
ORDER BY o.created_at DESC, o.id DESC, l.position
"""
SHOW_ORDER = SHOW_ORDERS.format(orders="SELECT * FROM orders_order WHERE id = %s AND user_id = %s")
SHOW_PAGE = SHOW_ORDERS.format(
    orders="SELECT * FROM orders_order WHERE user_id = %s ORDER BY created_at DESC, id DESC LIMIT %s"
)
SHOW_PRODUCTS = """
SELECT p.sku, p.name, p.description, p.price, p.currency, s.on_hand - s.reserved
FROM inventory_product p LEFT JOIN inventory_stockitem s ON s.product_id = p.id
WHERE p.is_active ORDER BY p.sku LIMIT %s
"""


@csrf_exempt
def orders(request: HttpRequest) -> HttpResponse:
    """Place an order, or show the first page of a person's orders."""
    user_id = UUID(request.headers["X-User"])
    if request.method == "POST":
        return _place(user_id, request.headers["Idempotency-Key"], json.loads(request.body))
    return _page(_shown_with_lines(_fetch(SHOW_PAGE, user_id, PAGE)))


def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    found = _shown_with_lines(_fetch(SHOW_ORDER, order_id, UUID(request.headers["X-User"])))
    if not found:
        return JsonResponse({"detail": "Not found."}, status=404)
    return JsonResponse(found[0], json_dumps_params=COMPACT)


def products(request: HttpRequest) -> HttpResponse:
    """Show the first page of what is sold."""
    return _page([dict(zip(PRODUCT, row, strict=True)) for row in _fetch(SHOW_PRODUCTS, PAGE)])


@transaction.atomic
def _place(user_id: UUID, key: str, body: Mapping[str, Any]) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(FOR_SALE, [[item["sku"] for item in body["items"]]])
        found = {sku: (name, price, currency) for sku, name, price, currency in cursor.fetchall()}
        if len(found) < len(body["items"]):
            return JsonResponse({"detail": "A product is not on sale, or named twice."}, status=400)
        lines = [_line(item, *found[item["sku"]]) for item in body["items"]]
        placed = _add_order(cursor, user_id, found[lines[0]["sku"]][2], lines)
        _add_event(cursor, user_id, placed)
        answer, location = _json(placed).encode(), f"/bare/orders/{placed['id']}"
        body_hash = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        cursor.execute(ADD_ANSWER, [user_id, key, body_hash, location, answer])
    return HttpResponse(answer, status=201, content_type="application/json", headers={"Location": location})


def _line(item: Mapping[str, Any], name: str, price: Decimal, currency: str) -> dict[str, Any]:
    return dict(zip(LINE, (item["sku"], name, item["quantity"], price, price * item["quantity"]), strict=True))


def _add_order(
    cursor: CursorWrapper, user_id: UUID, currency: str, lines: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    order_id, total = uuid7(), sum((line["line_total"] for line in lines), Decimal(0))
    cursor.execute(ADD_ORDER, [order_id, user_id, currency, total])
    number, now = cursor.fetchone()
    rows = [(uuid7(), order_id, position, *line.values()) for position, line in enumerate(lines)]
    _insert(cursor, ADD_LINES, "(%s, %s, %s, %s, %s, %s, %s, %s)", rows)
    cursor.execute(ADD_STATUS, [uuid7(), order_id])
    return _represent((order_id, number, "pending", currency, total, "", now, now), lines)


def _add_event(cursor: CursorWrapper, user_id: UUID, placed: Mapping[str, Any]) -> None:
    event_id, order_id = uuid7(), placed["id"]
    data = {"order_id": order_id, "user_id": user_id}
    data |= {name: placed[name] for name in ("number", "currency", "total", "items")}
    cursor.execute(ADD_COUNTER, [order_id])
    request_id = str(uuid7())
    cursor.execute(ADD_EVENT, [event_id, settings.EVENTS["SOURCE"], order_id, request_id, Jsonb(data, dumps=_json)])
    _insert(cursor, ADD_DELIVERIES, DELIVERY, [(uuid7(), event_id, order_id, *handler) for handler in HANDLERS])


def _insert(cursor: CursorWrapper, into: str, row: str, rows: Sequence[Sequence[Any]]) -> None:
    """Write all rows by one statement."""
    cursor.execute(into + ", ".join([row] * len(rows)), [value for values in rows for value in values])


def _fetch(sql: str, *parameters: Any) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def _page(results: Sequence[Mapping[str, Any]]) -> JsonResponse:
    """Answer with a first page, without the link to the next."""
    return JsonResponse({"next": None, "previous": None, "results": results}, json_dumps_params=COMPACT)


def _shown_with_lines(rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the orders that these rows, one for each line, are of."""
    found: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        if row[0] not in found:
            found[row[0]] = _represent(row[:8], [])
        found[row[0]]["items"].append(dict(zip(LINE, row[8:], strict=True)))
    return list(found.values())


def _represent(row: Sequence[Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    order_id, number, status, currency, total, reason, created_at, updated_at = row
    return {
        "id": order_id,
        "number": number,
        "status": status,
        "currency": currency,
        "total": total,
        "items": lines,
        "rejection_reason": reason,
        "created_at": _moment(created_at),
        "updated_at": _moment(updated_at),
    }


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
