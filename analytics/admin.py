"""Admin pages of the sales figures."""

from django.contrib import admin

from analytics.models import DailyProductSales, DailySales
from events.read_only import ReadOnly


@admin.register(DailySales)
class DailySalesAdmin(ReadOnly, admin.ModelAdmin[DailySales]):
    """Orders per day and status."""

    list_display = ["day", "status", "orders", "amount", "currency"]
    list_filter = ["status", "day"]
    ordering = ["-day", "status"]


@admin.register(DailyProductSales)
class DailyProductSalesAdmin(ReadOnly, admin.ModelAdmin[DailyProductSales]):
    """Pieces per day, product and status."""

    list_display = ["day", "sku", "status", "quantity", "amount", "currency"]
    list_filter = ["status", "day"]
    search_fields = ["=sku"]
    ordering = ["-day", "sku", "status"]
