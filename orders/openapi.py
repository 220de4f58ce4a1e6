"""The operations on orders."""

from orders.serializers import (
    MAX_LINES,
    NewOrderSerializer,
    OrderQuerySerializer,
    OrderSerializer,
    StaffTimelineEventSerializer,
)
from rest.codes import Code
from rest.openapi.described import Described
from rest.openapi.operation import NOTHING, Answer, Body, Operation

ORDER_ID = "0193b1c5-02b4-7d10-8f2e-6a9c3e5d7b11"
ORDER = {
    "id": ORDER_ID,
    "number": "O-1042",
    "status": "pending",
    "currency": "EUR",
    "total": "19.00",
    "items": [
        {
            "sku": "CUP-PORCELAIN",
            "name": "Porcelain cup",
            "quantity": 2,
            "unit_price": "9.50",
            "line_total": "19.00",
        }
    ],
    "rejection_reason": "",
    "created_at": "2026-01-05T09:31:00.123456Z",
    "updated_at": "2026-01-05T09:31:00.123456Z",
}
EVENT = {
    "event_id": "0193b1c5-02b5-7a00-b1d4-95c0e2f3a644",
    "type": "order.created.v1",
    "sequence": 1,
    "time": "2026-01-05T09:31:00.123456Z",
    "deliveries": [
        {
            "handler": "inventory.reserve_items",
            "status": "done",
            "attempts": 1,
            "handled_at": "2026-01-05T09:31:00.234567Z",
        }
    ],
}

OPERATIONS = {
    "POST /api/v1/orders": Operation(
        id="placeOrder",
        tag="orders",
        summary="Place an order",
        description="Accepts the order at once, as `pending`, with names and prices as they are now; stock is reserved"
        " after that, and the order becomes `confirmed`, or `rejected` with a reason. Up to 100 lines, each product in"
        " one line, all of one currency.\n\nSend an Idempotency-Key, and repeat the request with the same key for as"
        " long as no answer arrives: however often it is sent, there is one order, and every repetition gets the first"
        " answer byte for byte, with `Idempotent-Replayed: true`.",
        body=Body(NewOrderSerializer, {"two cups": {"items": [{"sku": "CUP-PORCELAIN", "quantity": 2}]}}),
        answer=Answer(201, "The order, accepted.", OrderSerializer, ORDER, headers=("Location",)),
    ),
    "GET /api/v1/orders": Operation(
        id="listOrders",
        tag="orders",
        summary="List orders",
        description="Lists your orders, newest first, one page at a time. Staff with the permission see everybody's.",
        query=OrderQuerySerializer,
        answer=Answer(200, "A page of orders.", OrderSerializer, ORDER, page=True),
    ),
    "GET /api/v1/orders/{order_id}": Operation(
        id="getOrder",
        tag="orders",
        summary="Show an order",
        description="Shows an order. Another's is 404, as one that does not exist is. To ask"
        " again cheaply until it is confirmed, send the ETag in If-None-Match.",
        answer=Answer(200, "The order.", OrderSerializer, ORDER | {"status": "confirmed"}, headers=("ETag", "NoCache")),
        headers=("IfNoneMatch",),
        not_modified=True,
    ),
    "POST /api/v1/orders/{order_id}/cancel": Operation(
        id="cancelOrder",
        tag="orders",
        summary="Cancel an order",
        description="Cancels an order that is pending or confirmed, and frees what was reserved for it.",
        answer=Answer(200, "The order, cancelled.", OrderSerializer, ORDER | {"status": "cancelled"}),
        body=NOTHING,
        codes=("wrong_status", "permission_denied"),
    ),
    "POST /api/v1/orders/{order_id}/fulfil": Operation(
        id="fulfilOrder",
        tag="orders",
        summary="Mark an order as sent",
        description="Marks a confirmed order as fulfilled, and takes its pieces off the stock.",
        answer=Answer(200, "The order, fulfilled.", OrderSerializer, ORDER | {"status": "fulfilled"}),
        body=NOTHING,
        codes=("wrong_status",),
    ),
    "GET /api/v1/orders/{order_id}/timeline": Operation(
        id="getOrderTimeline",
        tag="orders",
        summary="Show what happened to an order",
        description="Lists the order's events in order, each with how far every handler is with it. Staff with the"
        " permission also see `last_error`.",
        answer=Answer(200, "The order's events.", StaffTimelineEventSerializer, EVENT, many=True),
    ),
}

_KEPT = "as it was when the order was placed"
WORDS = {
    "Item": {"sku": "Of a product that is on sale.", "quantity": "Pieces."},
    "NewOrder": {"items": "The lines; each product in one of them."},
    "Line": {
        "name": f"The product's name {_KEPT}.",
        "quantity": "Pieces.",
        "unit_price": f"The price of one piece {_KEPT}.",
        "line_total": "The price of the line.",
    },
    "Order": {
        "number": "The order's name for people.",
        "status": "Where the order stands. `rejected`, `cancelled` and `fulfilled` are final.",
        "currency": "ISO 4217, of all prices of the order.",
        "total": "The sum of the lines.",
        "rejection_reason": "What was short, where the order is rejected; else empty.",
        "updated_at": "When its status last changed.",
    },
    "TimelineEvent": {
        "type": "What happened, with the version of the event's type.",
        "sequence": "The event's place in the order's life, from 1.",
        "deliveries": "Who is told, and how far that is.",
    },
    "Delivery": {
        "handler": "Who handles the event.",
        "status": "`dead`: it keeps failing, and waits for a person.",
        "attempts": "Attempts that were made.",
        "handled_at": "When it was done, or given up; null until then.",
        "last_error": "What went wrong last; empty once it is done. Only for staff who may see everybody's orders.",
    },
    "OrderQuery": {
        "number": "Only the order with this number.",
        "customer": "Only orders of this customer: an id or an e-mail address. For staff only; others get 400.",
        "status": "Only orders that stand there now.",
        "created_after": "Only orders placed then or later.",
        "created_before": "Only orders placed before then.",
        "ordering": "By what the list is sorted; with `-`, newest first.",
    },
}
BOUNDS = {
    "NewOrder": {"items": {"minItems": 1, "maxItems": MAX_LINES}},
}
CODES = (
    Code(
        "wrong_status",
        409,
        "The order has gone on to a status from which this step is not possible.",
        "Read the order, and decide by its status. The same request will not succeed.",
        "Order O-1042 is fulfilled, so it cannot be cancelled now.",
    ),
)
DESCRIBED = Described(OPERATIONS, WORDS, BOUNDS, CODES)
