"""What takes the place of a step that is given up, where the books need it. Named in subscriptions.py.

Each takes the order's id, and runs in the transaction that discards the step. Stock rows are locked before the
counters that publishing takes.
"""

from uuid import UUID

from inventory import stock
from orders.services import is_pending, reject_orders

REASON = "We could not process this order."


def reject(order_id: UUID) -> None:
    """Reject the order, which will never be confirmed; one that has moved on stays as it is."""
    reject_orders({order_id: REASON})


def release(order_id: UUID) -> None:
    """Free what is reserved for the order, which nobody else would.

    In place of a shipment this leaves the pieces on hand in the books: count the shelf, and adjust the stock.
    """
    stock.release([order_id])


def reject_and_release(order_id: UUID) -> None:
    """Free what is reserved for a pending order, and reject it. One that has moved on keeps its stock."""
    if is_pending(order_id):
        release(order_id)
        reject(order_id)
