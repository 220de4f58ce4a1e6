"""What the catalogue's endpoints take and give."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from inventory.models import Product
from inventory.stock import MAX_ADJUSTMENT
from rest.strict import Query, Strict
from values.money import AmountField, MoneyText, validate_decimals

# Each with the columns that it goes by: the last one is unique, and behind all of them is one index.
ORDERINGS = {
    "sku": ["sku"],
    "-sku": ["-sku"],
    "name": ["name", "id"],
    "-name": ["-name", "-id"],
    "price": ["price", "id"],
    "-price": ["-price", "-id"],
}

_CURRENCY = {"openapi": {"pattern": "^[A-Z]{3}$"}}
_NAME = "One line, without `://`: it stands in mails."
_SKU = "The product's name for machines. It never changes."


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product as anyone sees it."""

    price = MoneyText(help_text="What one piece costs.")
    available = serializers.IntegerField(
        source="stock.available", read_only=True, help_text="Pieces that can be ordered now."
    )

    class Meta:
        model = Product
        fields = ["sku", "name", "description", "price", "currency", "available"]
        extra_kwargs = {"sku": {"help_text": _SKU}, "currency": {"help_text": "ISO 4217.", "style": _CURRENCY}}


class NewProductSerializer(Strict, serializers.ModelSerializer[Product]):
    """A product to add."""

    sku = serializers.RegexField(r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=64, help_text=_SKU)
    price = AmountField(help_text="What one piece costs, with at most the decimals that ISO 4217 gives its currency.")

    class Meta:
        model = Product
        fields = ["sku", "name", "description", "price", "currency", "is_active"]
        extra_kwargs = {
            "name": {"help_text": _NAME},
            "currency": {
                "help_text": "A currency of ISO 4217 that has a number of decimals. EUR where none is given.",
                "style": _CURRENCY,
            },
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a price with more decimals than its currency has."""
        _check_price(attrs["price"], attrs.get("currency", Product().currency))
        return attrs


class ProductChangeSerializer(Strict, serializers.ModelSerializer[Product]):
    """What may change of a product."""

    price = AmountField(
        required=False,
        help_text="What one piece costs from now on, with at most the decimals that ISO 4217 gives its currency.",
    )

    class Meta:
        model = Product
        fields = ["name", "description", "price", "is_active"]
        extra_kwargs = {"name": {"help_text": _NAME}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a price with more decimals than the product's currency has."""
        if "price" in attrs and isinstance(self.instance, Product):
            _check_price(attrs["price"], self.instance.currency)
        return attrs


def _check_price(price: Decimal, currency: str) -> None:
    try:
        validate_decimals(price, currency)
    except ValidationError as error:
        raise serializers.ValidationError({"price": error.messages}) from error


class ProductQuerySerializer(Query):
    search = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        help_text="Only products with this in their sku, name or description, whatever its case.",
    )
    ordering = serializers.ChoiceField(
        choices=list(ORDERINGS),
        default="sku",
        help_text="By what the list is sorted; with `-`, from the other end.",
    )


class StockAdjustmentSerializer(Strict):
    """Pieces that came or went."""

    quantity = serializers.IntegerField(
        min_value=-MAX_ADJUSTMENT,
        max_value=MAX_ADJUSTMENT,
        help_text="Pieces that came; negative, pieces that went. Not 0.",
        style={"openapi": {"not": {"const": 0}}},
    )
    reason = serializers.CharField(max_length=200, help_text="Why, for whoever reads the books.")

    def validate_quantity(self, value: int) -> int:
        if value == 0:
            raise serializers.ValidationError("A movement of nothing: give a number other than 0.")
        return value


class StockSerializer(serializers.Serializer[Any]):
    """The stock of one product."""

    sku = serializers.CharField(source="product.sku")
    on_hand = serializers.IntegerField(help_text="Pieces on the shelf.")
    reserved = serializers.IntegerField(help_text="Those of them that are set aside for orders.")
    available = serializers.IntegerField(help_text="The others.")
