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


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product as anyone sees it."""

    price = MoneyText()
    available = serializers.IntegerField(source="stock.available", read_only=True)

    class Meta:
        model = Product
        fields = ["sku", "name", "description", "price", "currency", "available"]


class NewProductSerializer(Strict, serializers.ModelSerializer[Product]):
    """A product to add."""

    sku = serializers.RegexField(r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=64)
    price = AmountField()

    class Meta:
        model = Product
        fields = ["sku", "name", "description", "price", "currency", "is_active"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a price with more decimals than its currency has."""
        _check_price(attrs["price"], attrs.get("currency", Product().currency))
        return attrs


class ProductChangeSerializer(Strict, serializers.ModelSerializer[Product]):
    """What may change of a product."""

    price = AmountField(required=False)

    class Meta:
        model = Product
        fields = ["name", "description", "price", "is_active"]

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
    """The filters of the product list."""

    search = serializers.CharField(max_length=100, required=False, allow_blank=True)
    ordering = serializers.ChoiceField(choices=list(ORDERINGS), default="sku")


class StockAdjustmentSerializer(Strict):
    """Pieces that came or went."""

    quantity = serializers.IntegerField(min_value=-MAX_ADJUSTMENT, max_value=MAX_ADJUSTMENT)
    reason = serializers.CharField(max_length=200)

    def validate_quantity(self, value: int) -> int:
        """Refuse zero."""
        if value == 0:
            raise serializers.ValidationError("A movement of nothing: give a number other than 0.")
        return value


class StockSerializer(serializers.Serializer[Any]):
    """The stock of one product."""

    sku = serializers.CharField(source="product.sku")
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField()
