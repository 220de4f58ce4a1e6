"""The shop's goods, orders and events, for tests."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from events.tests.helpers import dead_letter
from eventtypes.orders import Line, OrderCreatedV1
from inventory import stock
from inventory.catalogue import add_product
from inventory.models import Product, StockItem
from inventory.selectors import stock_violations
from orders.models import Order
from orders.services import Item, confirm_orders, place_order
from users.models import User

RESERVE, RECEIVED = "inventory.reserve_items", "notifications.send_order_received"  # of an order that was placed


def make_product(sku: str = "CUP", price: str = "2.50", pieces: int = 10, **fields: Any) -> Product:
    """A product with pieces on the shelf."""
    product = add_product(sku=sku, name=f"The {sku}", price=Decimal(price), **fields)
    if pieces:
        stock.adjust(product, quantity=pieces, reason="opening stock")
    return product


def counts(sku: str = "CUP") -> tuple[int, int]:
    """(on hand, reserved) of a product, once the books are seen to agree."""
    assert stock_violations() == []
    item = StockItem.objects.get(product__sku=sku)
    return item.on_hand, item.reserved


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


def order_data(order_id: UUID) -> dict[str, Any]:
    """What an event tells of an order."""
    price = Decimal("2.00")
    return {
        "order_id": order_id,
        "number": "O-1",
        "user_id": uuid4(),
        "currency": "EUR",
        "total": price,
        "items": (Line(sku="A", name="An A", quantity=1, unit_price=price, line_total=price),),
    }


def order_created() -> OrderCreatedV1:
    return OrderCreatedV1(**order_data(uuid4()))


def a_dead_letter(name: str = RECEIVED) -> UUID:
    """Publish an order and let the delivery to this handler die; return its id."""
    return dead_letter(name, order_created())
