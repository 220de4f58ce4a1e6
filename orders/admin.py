"""Admin pages of orders, but for what other apps know of them: backoffice/orders.py adds that."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from rest_framework.exceptions import APIException

from adminkit.csv_export import Exported
from adminkit.filters import AmountsFilter, DaysFilter
from adminkit.pages import Button, TabularInline, ask
from adminkit.read_only import ReadOnly
from orders.access import MOVE_ORDERS
from orders.models import Order, OrderLine, StatusChange
from orders.selectors import search
from orders.services import cancel_order, fulfil_order
from orders.states import Status, sources

AT_ONCE = 200  # orders that one click may move on: each is a transaction of its own, and the browser waits
NAMED = 20  # orders that a form, or a message, names one by one
STEPS: Mapping[Status, Callable[[Order], Order]] = {
    Status.FULFILLED: fulfil_order,
    Status.CANCELLED: partial(cancel_order, by="staff"),
}
WHAT = {
    Status.FULFILLED: "They are marked as sent: the reserved pieces leave the stock, and the customers get a mail.",
    Status.CANCELLED: "They are called off for good: the reserved pieces are freed, and the customers get a mail.",
}


class LineInline(ReadOnly, TabularInline[OrderLine, Order]):
    model = OrderLine
    hide_title = True
    fields = ["sku", "name", "quantity", "unit_price", "line_total"]


class HistoryInline(ReadOnly, TabularInline[StatusChange, Order]):
    model = StatusChange
    hide_title = True
    verbose_name_plural = "status history"
    fields = ["at", "from_status", "to_status", "reason"]


class OrderAdmin(ReadOnly, Exported[Order]):
    """Orders: read, cancel and fulfil, by the same services as over REST."""

    list_display = ["number", "user", "status", "total", "currency", "created_at"]
    list_filter = ["status", ("created_at", DaysFilter), ("total", AmountsFilter)]
    list_filter_submit = True
    list_select_related = ["user"]
    search_fields = ["number"]
    search_help_text = "Number, e-mail address, sku, or id: exactly"
    ordering = ["-created_at", "-id"]
    export_fields = [
        "number", "user", "status", "total", "currency", "created_at", "updated_at", "rejection_reason", "id",
    ]  # fmt: skip
    inlines = [LineInline, HistoryInline]
    actions = ["fulfil", "cancel"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return MOVE_ORDERS.allows(request.user)

    def find(self, rows: QuerySet[Order], text: str) -> QuerySet[Order]:
        return search(rows, text)

    def buttons(self, request: HttpRequest, row: Order) -> Sequence[Button]:
        if not self.has_decide_permission(request):
            return ()
        return [
            Button(label, reverse(f"admin:orders_order_{name}", args=[row.pk]), variant)
            for label, name, variant, to in (
                ("Fulfil", "fulfil", "primary", Status.FULFILLED),
                ("Cancel", "cancel", "danger", Status.CANCELLED),
            )
            if row.status in sources(to)
        ]

    def get_urls(self) -> list[URLPattern]:
        move_one = self.admin_site.admin_view(self.move_one)
        return [
            path("<uuid:pk>/fulfil/", move_one, {"to": Status.FULFILLED}, name="orders_order_fulfil"),
            path("<uuid:pk>/cancel/", move_one, {"to": Status.CANCELLED}, name="orders_order_cancel"),
            *super().get_urls(),
        ]

    @admin.action(description="Fulfil: the goods have left", permissions=["decide"])
    def fulfil(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._move(request, orders, Status.FULFILLED)

    @admin.action(description="Cancel", permissions=["decide"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._move(request, orders, Status.CANCELLED)

    def move_one(self, request: HttpRequest, pk: UUID, to: Status) -> HttpResponse:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        chosen = Order.objects.filter(pk=pk)
        get_object_or_404(chosen)
        page = reverse("admin:orders_order_change", args=[pk])
        return self._move(request, chosen, to, back=page) or redirect(page)

    def _move(self, request: HttpRequest, orders: QuerySet[Order], to: Status, back: str = "") -> HttpResponse | None:
        """Return the form that asks, or None when it was answered and the orders have moved on."""
        chosen = list(orders[: AT_ONCE + 1])
        if len(chosen) > AT_ONCE:
            self.message_user(request, f"Choose at most {AT_ONCE} orders at once.", messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            return ask(self, request, "admin/orders/order/move.html", **_confirmation(chosen, to, back))
        failed = []
        for order in chosen:
            try:
                STEPS[to](order)
            except APIException as error:
                failed.append(str(error.detail))
        moved = len(chosen) - len(failed)
        self.message_user(request, f"{moved} {to}.", messages.SUCCESS if moved else messages.WARNING)
        if failed:
            more = f" And {len(failed) - NAMED} more." if len(failed) > NAMED else ""
            self.message_user(request, " ".join(failed[:NAMED]) + more, messages.ERROR)
        return None


def _confirmation(chosen: Sequence[Order], to: Status, back: str) -> dict[str, Any]:
    verb = "Fulfil" if to is Status.FULFILLED else "Cancel"
    return {
        "title": f"{verb} {'this order' if len(chosen) == 1 else f'{len(chosen)} orders'}?",
        "what": WHAT[to],
        "orders": chosen[:NAMED],
        "more": max(0, len(chosen) - NAMED),
        "yes": f"Yes, {verb.lower()}",
        "variant": "danger" if to is Status.CANCELLED else "primary",
        "back": back or reverse("admin:orders_order_changelist"),
    }
