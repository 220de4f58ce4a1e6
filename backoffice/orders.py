"""The page of an order, with what the bus and the mails know of it."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from adminkit.pages import Section, link
from backoffice.timeline import timeline
from orders.admin import OrderAdmin
from orders.models import Order


@admin.register(Order)
class OrderPage(OrderAdmin):
    """Orders, each with its customer and its timeline."""

    fields = ["number", "customer", "status", "total", "currency", "rejection_reason", "created_at", "updated_at", "id"]
    readonly_fields = ["customer"]

    @admin.display
    def customer(self, order: Order) -> SafeString:
        """Return a link to the customer."""
        return link(order.user, "ordersite_customer_change", order.user_id)

    def sections(self, request: HttpRequest, row: Order) -> Sequence[Section]:
        """Show the order's events, each with how far its handlers are."""
        return [Section("Events and their handlers", timeline(row.id, request.user))]
