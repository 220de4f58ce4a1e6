"""Projections: sales figures that the handlers keep. Sums only, so the order in which events come does not matter.

And reports: what somebody asked for, and how far it is.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from values.money import MoneyField


class DailySales(models.Model):
    """How many orders reached a status on a day, and what they were worth."""

    day = models.DateField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10)
    orders = models.PositiveIntegerField(default=0)
    amount = MoneyField(max_digits=22, default=0)

    class Meta:
        verbose_name_plural = "daily sales"
        constraints = [models.UniqueConstraint(fields=["day", "currency", "status"], name="daily_sales_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.status}"


class DailyProductSales(models.Model):
    """How many orders with a product reached a status on a day, how many pieces that were, and what they were worth."""

    day = models.DateField()
    sku = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10)
    orders = models.PositiveIntegerField(default=0, db_default=0)
    quantity = models.PositiveIntegerField(default=0)
    amount = MoneyField(max_digits=22, default=0)

    class Meta:
        verbose_name_plural = "daily product sales"
        constraints = [
            models.UniqueConstraint(fields=["day", "sku", "currency", "status"], name="daily_product_sales_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.sku} {self.status}"


class Report(models.Model):
    """A file that somebody asked for. Changed by the conditional updates of reports.py alone.

    `turn` is that of the worker that builds it, new with each try: only its holder may go on. `as_of` stays the same
    with all tries: what the file tells is so as of then. `start` and `end` are both included, in UTC.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reports")
    kind = models.CharField(max_length=20)
    format = models.CharField(max_length=10)
    start = models.DateField()
    end = models.DateField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    progress = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    turn = models.UUIDField(null=True)
    as_of = models.DateTimeField(null=True)
    file = models.CharField(max_length=100, blank=True, default="")
    rows = models.PositiveBigIntegerField(null=True)
    size = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        permissions = [("request_report", "Can ask for reports, and download and cancel their own")]
        constraints = [
            models.CheckConstraint(condition=Q(progress__lte=100), name="report_progress_in_bounds"),
            models.CheckConstraint(
                condition=Q(status="ready", expires_at__isnull=False) & ~Q(file="") | ~Q(status="ready") & Q(file=""),
                name="report_file_only_when_ready",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "running", "ready", "failed", "cancelled", "expired"]),
                name="report_status_known",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], name="report_unfinished", condition=Q(status__in=["pending", "running"])),
            models.Index(fields=["expires_at"], name="report_expires", condition=Q(status="ready")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} from {self.start} to {self.end}"


class DaySummary(models.Model):
    """A day whose sales were summed up for whoever is to be told: at most one a day, with the event that tells."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    day = models.DateField(unique=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "day summaries"

    def __str__(self) -> str:
        return str(self.day)
