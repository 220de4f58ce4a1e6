"""Orders for tests."""

from typing import Any

from orders.models import Order
from orders.services import Item, confirm_orders, place_order
from users.models import User


def items(**quantities: int) -> dict[str, Any]:
    """The body that orders these pieces."""
    return {"items": [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()]}


def place(user: User, **quantities: int) -> Order:
    """An order that has come in."""
    return place_order(user_id=user.id, items=[Item(sku, quantity) for sku, quantity in quantities.items()])


def place_confirmed(user: User, **quantities: int) -> Order:
    """An order that will be delivered."""
    order = place(user, **quantities)
    assert confirm_orders([order.id])
    order.refresh_from_db()
    return order
