"""Admin pages of the sales figures."""

from django.contrib import admin

from adminkit.pages import Page
from adminkit.read_only import ReadOnly
from analytics.models import DailyProductSales, DailySales


@admin.register(DailySales)
class DailySalesAdmin(ReadOnly, Page[DailySales]):
    list_display = ["day", "status", "orders", "amount", "currency"]
    list_filter = ["status", "day"]
    ordering = ["-day", "status"]


@admin.register(DailyProductSales)
class DailyProductSalesAdmin(ReadOnly, Page[DailyProductSales]):
    list_display = ["day", "sku", "status", "quantity", "amount", "currency"]
    list_filter = ["status", "day"]
    search_fields = ["sku__exact"]
    ordering = ["-day", "sku", "status"]
