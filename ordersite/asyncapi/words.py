"""What the types do not say of events: what their fields mean, and how one looks."""

from collections.abc import Mapping
from typing import Any

_KEPT = "as it was when the order was placed"

FIELDS: Mapping[str, str] = {
    "order_id": "The order.",
    "user_id": "The person. Who they are is asked of the user service: no event tells.",
    "number": "The order's name for people.",
    "currency": "ISO 4217, of all prices of the order.",
    "total": "The sum of the lines.",
    "items": "The lines of the order.",
    "sku": "The product's name for machines.",
    "name": f"The product's name {_KEPT}.",
    "quantity": "Pieces.",
    "unit_price": f"The price of one piece {_KEPT}.",
    "line_total": "The price of the line.",
    "shortages": "What was short.",
    "requested": "Pieces that were ordered.",
    "available": "Pieces that there were.",
    "reason": "Why.",
    "report_id": "The report. What is wanted stands in its row.",
    "summary_id": "The summary of that day: it tells one apart that is told of twice.",
    "day": "In UTC.",
    "figures": "How many orders reached each status on that day.",
    "products": "The products of which most was ordered on that day.",
    "status": "What the orders reached.",
    "orders": "How many.",
    "amount": "What they come to.",
}

ORDER, USER = "01a21970-4958-7677-bd56-671df0b4e680", "01a21970-1c11-7d0a-8f2e-0b6c3f0d9a51"
REPORT, SUMMARY = "01a21971-2f40-7c11-9d3e-5a1f0c6b7e21", "01a21972-7b05-7e90-8a44-3c2d9f10b6d8"
_LINE = {
    "sku": "TEA-SENCHA-100",
    "name": "Sencha, green tea from Japan, 100 g",
    "quantity": 3,
    "unit_price": "9.80",
    "line_total": "29.40",
}
_ORDER = {
    "order_id": ORDER,
    "number": "O-1000042",
    "user_id": USER,
    "currency": "EUR",
    "total": "29.40",
    "items": [_LINE],
}
# The data of one event of each type; a test holds them against the types.
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "user.created.v1": {"user_id": USER},
    "order.created.v1": _ORDER,
    "stock.reserved.v1": {"order_id": ORDER},
    "stock.rejected.v1": {
        "order_id": ORDER,
        "shortages": [{"sku": "TEA-SENCHA-100", "requested": 3, "available": 1}],
    },
    "order.confirmed.v1": _ORDER,
    "order.rejected.v1": _ORDER | {"reason": "Out of stock: TEA-SENCHA-100 (3 ordered, 1 available)"},
    "order.cancelled.v1": _ORDER | {"reason": "customer"},
    "order.fulfilled.v1": _ORDER,
    "report.requested.v1": {"report_id": REPORT},
    "sales.day_ended.v1": {
        "summary_id": SUMMARY,
        "day": "2026-11-25",
        "figures": [{"status": "pending", "currency": "EUR", "orders": 2, "amount": "58.80"}],
        "products": [{"sku": "TEA-SENCHA-100", "currency": "EUR", "quantity": 6, "amount": "58.80"}],
    },
}
