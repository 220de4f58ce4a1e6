"""Projections: sales figures that the handlers keep. Sums only, so the order in which events come does not matter."""

from django.db import models


class DailySales(models.Model):
    """How many orders reached a status on a day, and what they were worth."""

    day = models.DateField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10)
    orders = models.PositiveIntegerField(default=0)
    amount = models.DecimalField(max_digits=20, decimal_places=2, default=0)

    class Meta:
        verbose_name_plural = "daily sales"
        constraints = [models.UniqueConstraint(fields=["day", "currency", "status"], name="daily_sales_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.status}"


class DailyProductSales(models.Model):
    """How many pieces of a product were in orders that reached a status on a day, and what they were worth."""

    day = models.DateField()
    sku = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10)
    quantity = models.PositiveIntegerField(default=0)
    amount = models.DecimalField(max_digits=20, decimal_places=2, default=0)

    class Meta:
        verbose_name_plural = "daily product sales"
        constraints = [
            models.UniqueConstraint(fields=["day", "sku", "currency", "status"], name="daily_product_sales_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.sku} {self.status}"
