"""Orders, their lines, and the history of their status."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from orders.states import Status
from values.money import MoneyField


class Order(models.Model):
    """What somebody ordered, with names and prices as they were at that moment."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.CharField(max_length=20, unique=True)
    user = models.ForeignKey(  # its index is order_of_user
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    currency = models.CharField(max_length=3)
    total = MoneyField(max_digits=18)
    rejection_reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    _kept_lines: Sequence[Any] = ()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="order_status_known"),
            models.CheckConstraint(condition=Q(total__gte=0), name="order_total_not_negative"),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at", "-id"], name="order_of_user"),
            models.Index(fields=["-created_at", "-id"], name="order_newest"),
            models.Index(fields=["status", "-created_at", "-id"], name="order_by_status"),
        ]

    def __str__(self) -> str:
        return self.number

    def keep_lines(self, lines: Sequence[Any]) -> None:
        """Keep what was just written, or read, of the lines: whoever shows the order need not read them."""
        self._kept_lines = lines

    @property
    def lines_to_represent(self) -> Sequence[Any]:
        """The lines as they were kept, else as they are in the table."""
        return self._kept_lines or list(self.lines.all())


class OrderLine(models.Model):
    """Pieces of one product in an order."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(  # its index is line_once_per_sku
        Order, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    position = models.PositiveSmallIntegerField()
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    unit_price = MoneyField(max_digits=12, currency="order.currency")
    line_total = MoneyField(max_digits=16, currency="order.currency")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "sku"], name="line_once_per_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1, quantity__lte=1000), name="line_quantity_in_bounds"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"


class StatusChange(models.Model):
    """A step in an order's life. Append-only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="history")
    from_status = models.CharField(max_length=10, choices=Status.choices, blank=True)
    to_status = models.CharField(max_length=10, choices=Status.choices)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} to {self.to_status}"
