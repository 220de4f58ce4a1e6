"""The operations on orders."""

from orders.serializers import (
    NewOrderSerializer,
    OrderQuerySerializer,
    OrderSerializer,
    StaffTimelineEventSerializer,
)
from rest.codes import Code
from rest.openapi.described import NOTHING, Answer, Body, Described, Operation

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

CODES = (
    Code(
        "wrong_status",
        409,
        "The order has gone on to a status from which this step is not possible.",
        "Read the order, and decide by its status. The same request will not succeed.",
        "Order O-1042 is fulfilled, so it cannot be cancelled now.",
    ),
)
DESCRIBED = Described(
    OPERATIONS,
    tags={
        "orders": "An order is `pending` when it is placed, then `confirmed` (stock is reserved) or `rejected`"
        " (something was short). A confirmed one becomes `fulfilled`. Until then it can be `cancelled`.",
    },
    ids={"order_id": "The order's id."},
    codes=CODES,
    examples={
        "Location": f"/api/v1/orders/{ORDER_ID}",
        "not_found": "No Order matches the given query.",
        "errors": [{"pointer": "/items/0/quantity", "detail": "Ensure this value is less than or equal to 1000."}],
    },
)
