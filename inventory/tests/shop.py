"""Products and stock for tests."""

from decimal import Decimal
from typing import Any

from inventory import stock
from inventory.catalogue import add_product
from inventory.models import Product, StockItem
from inventory.selectors import stock_violations


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
