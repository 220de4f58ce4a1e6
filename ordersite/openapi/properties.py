"""What the serializers do not say of their fields: what they mean, by component, and a few bounds.

A component that a body has (`ProductRequest`, `PatchedProductRequest`) shares the words of the one that answers have.
"""

from collections.abc import Mapping
from typing import Any

from orders.serializers import MAX_LINES

_KEPT = "as it was when the order was placed"
_ERROR_TYPE = "The class of the error."

_LETTER = {
    "queue": "The name under which operators know the consumer's dead letters.",
    "handler": "Who should have handled the event.",
    "subject": "What the event is about: the id of an order or a user.",
    "reason": "Why it is dead; empty once it is not.",
    "error_type": _ERROR_TYPE,
    "fingerprint": "The same for letters with the same kind of error from the same place.",
    "handled_at": "When it died, was discarded, or was done.",
}

WORDS: Mapping[str, Mapping[str, str]] = {
    "User": {
        "email": "The address to sign in with, in lower case; its domain in letters, not in punycode.",
        "full_name": "How the person is called; may be empty. One line, without `://`.",
    },
    "Registration": {
        "email": "The address to sign in with. It is kept in lower case, with its domain in letters, not in punycode.",
        "password": "At least 10 characters.",
        "full_name": "How the person is called. One line, without `://`.",
    },
    "Credentials": {"email": "The address of the account, in any spelling.", "password": "Its password."},
    "Token": {
        "token": "What to send as `Authorization: Bearer TOKEN`. Treat it as a password.",
        "expires_at": "From then on it is dead.",
    },
    "Product": {
        "sku": "The product's name for machines. It never changes.",
        "price": "What one piece costs.",
        "currency": "ISO 4217.",
        "available": "Pieces that can be ordered now.",
    },
    "NewProduct": {
        "name": "One line, without `://`: it stands in mails.",
        "sku": "The product's name for machines. It never changes.",
        "price": "What one piece costs, with at most the decimals that ISO 4217 gives its currency.",
        "currency": "A currency of ISO 4217 that has a number of decimals. EUR where none is given.",
    },
    "ProductChange": {
        "name": "One line, without `://`: it stands in mails.",
        "price": "What one piece costs from now on, with at most the decimals that ISO 4217 gives its currency.",
    },
    "StockAdjustment": {
        "quantity": "Pieces that came; negative, pieces that went. Not 0.",
        "reason": "Why, for whoever reads the books.",
    },
    "Stock": {
        "on_hand": "Pieces on the shelf.",
        "reserved": "Those of them that are set aside for orders.",
        "available": "The others.",
    },
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
    "DailySales": {
        "day": "In UTC; of a week or a month, the first.",
        "status": "The status that the orders reached on that day.",
        "currency": "ISO 4217.",
        "orders": "How many; of a product, those with it.",
        "amount": "What they come to; of a product, its lines.",
        "sku": "The product; with `group=product` only.",
        "quantity": "Pieces of it; with `group=product` only.",
    },
    "NewReport": {
        "kind": "What it tells of.",
        "from": "The first day, in UTC.",
        "to": "The last day, in UTC.",
    },
    "Report": {
        "from": "The first day, in UTC.",
        "to": "The last day, in UTC.",
        "status": "`ready`: it can be downloaded. All but `pending` and `running` are final, unless operators have a"
        " failed one built again.",
        "progress": "In percent.",
        "error": "Why it failed; else empty.",
        "as_of": "All that it tells is as it was at this moment; null until it is begun.",
        "rows": "Lines of the file, without its header; null until it is ready.",
        "size": "Bytes of the file; null until it is ready.",
        "download_url": "Where the file is; null while there is none.",
        "finished_at": "When it was ready, or came to another end; null until then.",
        "expires_at": "When its file is removed; null until it is ready.",
    },
    "DeadLetter": _LETTER,
    "WholeDeadLetter": {
        **_LETTER,
        "correlation_id": "The X-Request-ID of the request from which it follows.",
        "data": "What the handler is given.",
        "traceback": "Where in the code it failed, secrets hidden.",
        "failed_attempts": "Every attempt that counted and failed.",
        "decisions": "What people did about it.",
        "discard_does": "What is done in its place where it is discarded.",
        "flower_url": "Where the Celery task is shown.",
    },
    "FailedAttempt": {
        "number": "From 1; from 1 again after a replay.",
        "worker": "The worker that tried.",
        "error_type": _ERROR_TYPE,
    },
    "Decision": {"by": "Who decided.", "reason": "Why, in that person's words."},
    "Discard": {"reason": "Why it is given up, for whoever reads the books."},
    "DeadLetterChoice": {
        "handler": "Only those of this handler. An unknown one is 400.",
        "event_type": "Only those of this event type. An unknown one is 400.",
    },
    "Ready": {
        "broker": "`down` where it takes no messages. The site is ready all the same: orders are taken without it.",
        "deliveries": "`stuck`: some could run, and have waited for too long.",
        "oldest_due_seconds": "For how long the first delivery that could run has waited.",
    },
    "ProductQuery": {
        "search": "Only products with this in their sku, name or description, whatever its case.",
        "ordering": "By what the list is sorted; with `-`, from the other end.",
    },
    "OrderQuery": {
        "number": "Only the order with this number.",
        "customer": "Only orders of this customer: an id or an e-mail address. For staff only; others get 400.",
        "status": "Only orders that stand there now.",
        "created_after": "Only orders placed then or later.",
        "created_before": "Only orders placed before then.",
        "ordering": "By what the list is sorted; with `-`, newest first.",
    },
    "SalesQuery": {
        "from": "The first day, in UTC.",
        "to": "The last day, in UTC.",
        "interval": "What a figure covers. Weeks begin on Monday.",
        "group": "`product`: figures of each product instead of all orders.",
        "status": "Only figures of this status.",
        "sku": "Only figures of this product; with `group=product`.",
    },
    "LetterQuery": {
        "handler": "Only those of this handler. An unknown one is 400.",
        "event_type": "Only those of this event type. An unknown one is 400.",
        "status": "`dead`, if none is given: what waits for a person. The others are of letters that were replayed or"
        " discarded.",
    },
}
BOUNDS: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "Registration": {"password": {"minLength": 10}},
    "NewOrder": {"items": {"minItems": 1, "maxItems": MAX_LINES}},
    "Product": {"currency": {"pattern": "^[A-Z]{3}$"}},
    "NewProduct": {"currency": {"pattern": "^[A-Z]{3}$"}},
    "StockAdjustment": {"quantity": {"not": {"const": 0}}},
}


def explained(component: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of a component's fields, with their words and bounds, and without a generator's own marks."""
    name = component.removesuffix("Request").removeprefix("Patched")
    words, bounds = WORDS.get(name, {}), BOUNDS.get(name, {})
    return {
        field: _plain(schema) | bounds.get(field, {}) | ({"description": words[field]} if field in words else {})
        for field, schema in fields.items()
    }


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("readOnly", "x-spec-enum-id")}
