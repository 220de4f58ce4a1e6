"""Catalogue and stock. At every commit: on_hand = available + reserved = sum of movements."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from values.money import MoneyField, validate_currency, validate_decimals
from values.names import validate_name


class Product(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sku = models.CharField(
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", "Letters, digits, dots, hyphens, underscores.")],
    )
    name = models.CharField(max_length=200, validators=[validate_name])
    description = models.TextField(blank=True)
    price = MoneyField(max_digits=12, validators=[MinValueValidator(0)])
    currency = models.CharField(max_length=3, default="EUR", validators=[validate_currency])
    is_active = models.BooleanField(default=True, help_text="Only active products are listed and sold.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(price__gte=0), name="product_price_not_negative")]
        indexes = [
            models.Index(fields=["name", "id"], name="product_by_name"),
            models.Index(fields=["price", "id"], name="product_by_price"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"

    def clean(self) -> None:
        """Refuse a price with more decimals than its currency has."""
        price: Any = self.price  # None where a form could not read it
        if price is not None:
            try:
                validate_decimals(price, self.currency)
            except ValidationError as error:
                raise ValidationError({"price": error}) from error


class StockItem(models.Model):
    """How many pieces of a product there are, and how many of them are set aside for orders."""

    product = models.OneToOneField(Product, on_delete=models.PROTECT, primary_key=True, related_name="stock")
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")), name="stock_reserved_within_on_hand"
            )
        ]

    def __str__(self) -> str:
        return f"{self.available} available of {self.on_hand}"

    @property
    def available(self) -> int:
        """Pieces that can still be ordered."""
        return self.on_hand - self.reserved


class Reservation(models.Model):
    """Pieces set aside for one line of an order."""

    class State(models.TextChoices):
        ACTIVE = "active"
        RELEASED = "released"
        SHIPPED = "shipped"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order_id = models.UUIDField()
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="reservations")
    quantity = models.IntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order_id", "product"], name="reservation_once_per_order_line"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_of_something"),
            models.CheckConstraint(
                condition=Q(state__in=["active", "released", "shipped"]), name="reservation_state_known"
            ),
        ]
        indexes = [models.Index(fields=["product"], name="reservation_active", condition=Q(state="active"))]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.product_id} for {self.order_id}"


class Movement(models.Model):
    """A change of what is on hand. Append-only: the database refuses to change or delete one."""

    class Kind(models.TextChoices):
        ADJUSTMENT = "adjustment"
        SHIPMENT = "shipment"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    quantity = models.IntegerField(help_text="Pieces that came (positive) or went (negative).")
    reason = models.CharField(max_length=200, blank=True)
    order_id = models.UUIDField(null=True, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(quantity=0), name="movement_of_something"),
            # A line of an order ships once, whatever happens to messages.
            models.UniqueConstraint(
                fields=["order_id", "product"], condition=Q(kind="shipment"), name="movement_ships_once"
            ),
        ]
        indexes = [models.Index(fields=["at", "id"], name="movement_by_time")]

    def __str__(self) -> str:
        return f"{self.quantity:+} of {self.product_id}"
