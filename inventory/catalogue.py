"""Writes of the catalogue."""

from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from rest_framework.exceptions import ValidationError

from inventory.models import Product, StockItem
from values.names import validate_name


def add_product(*, sku: str, name: str, price: Decimal, **fields: Any) -> Product:
    """Add a product with no stock. Raises ValidationError where the sku is taken, Django's where the name is none."""
    validate_name(name)
    try:
        with transaction.atomic():
            product = Product.objects.create(sku=sku, name=name, price=price, **fields)
            product.stock = StockItem.objects.create(product=product)
    except IntegrityError as error:
        raise ValidationError({"sku": [f"There is a product {sku} already."]}, code="taken") from error
    return product


def change_product(product: Product, **fields: Any) -> Product:
    """Change what is given. Orders that were placed keep the name and the price they were placed with."""
    for name, value in fields.items():
        setattr(product, name, value)
    product.save(update_fields=list(fields))
    return product
