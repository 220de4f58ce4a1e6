"""Admin page of orders."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from rest_framework.exceptions import APIException

from events.read_only import ReadOnly
from events.selectors import history_of
from orders.models import Order, OrderLine, StatusChange
from orders.services import cancel_order, fulfil_order


class LineInline(ReadOnly, admin.TabularInline[OrderLine, Order]):
    model = OrderLine
    fields = ["sku", "name", "quantity", "unit_price", "line_total"]


class HistoryInline(ReadOnly, admin.TabularInline[StatusChange, Order]):
    model = StatusChange
    fields = ["at", "from_status", "to_status", "reason"]


@admin.register(Order)
class OrderAdmin(ReadOnly, admin.ModelAdmin[Order]):
    """Orders: read, cancel and fulfil, by the same services as over REST."""

    list_display = ["number", "user", "status", "total", "currency", "created_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["user"]
    search_fields = ["=id", "number", "user__email", "lines__sku"]
    ordering = ["-created_at", "-id"]
    show_full_result_count = False
    readonly_fields = ["timeline"]
    inlines = [LineInline, HistoryInline]
    actions = ["fulfil", "cancel"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may move orders on."""
        return request.user.has_perm("orders.change_order")

    @admin.display(description="events and their handlers")
    def timeline(self, order: Order) -> SafeString:
        """Return the order's events, each with how far its handlers are."""
        rows = [
            (event.sequence, event.type, d.handler, d.state, d.attempts, d.error_message)
            for event in history_of(order.id)
            for d in event.deliveries.all()
        ]
        cells = format_html_join("", "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}", rows)
        return format_html("<table><tr><th>#<th>Event<th>Handler<th>State<th>Attempts<th>Last error{}</table>", cells)

    @admin.action(description="Fulfil: the goods have left", permissions=["decide"])
    def fulfil(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Fulfil the chosen orders."""
        self._each(request, orders, fulfil_order, "fulfilled")

    @admin.action(description="Cancel", permissions=["decide"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Cancel the chosen orders."""
        self._each(request, orders, lambda order: cancel_order(order, by="staff"), "cancelled")

    def _each(self, request: HttpRequest, orders: QuerySet[Order], step: Callable[[Order], Any], done: str) -> None:
        count = 0
        for order in orders:
            try:
                step(order)
                count += 1
            except APIException as error:
                self.message_user(request, str(error.detail), messages.ERROR)
        self.message_user(request, f"{count} {done}.", messages.SUCCESS)
