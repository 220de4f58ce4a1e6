"""Admin pages of orders, but for what other apps know of them: backoffice/orders.py adds that."""

from collections.abc import Callable, Sequence
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
Step = Callable[[Order], Order]


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
        """Tell whether this person may move orders on."""
        return MOVE_ORDERS.allows(request.user)

    def find(self, rows: QuerySet[Order], text: str) -> QuerySet[Order]:
        """Find by what an index finds."""
        return search(rows, text)

    def buttons(self, request: HttpRequest, row: Order) -> Sequence[Button]:
        """Lead to the forms that ask before the order is moved on, where it can be."""
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
        """Add the addresses of the buttons."""
        site = self.admin_site.admin_view
        return [
            path("<uuid:pk>/fulfil/", site(self.fulfil_one), name="orders_order_fulfil"),
            path("<uuid:pk>/cancel/", site(self.cancel_one), name="orders_order_cancel"),
            *super().get_urls(),
        ]

    @admin.action(description="Fulfil: the goods have left", permissions=["decide"])
    def fulfil(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        """Fulfil the chosen orders, once that is confirmed."""
        return self._move(request, orders, fulfil_order, Status.FULFILLED)

    @admin.action(description="Cancel", permissions=["decide"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        """Cancel the chosen orders, once that is confirmed."""
        return self._move(request, orders, _cancel, Status.CANCELLED)

    def fulfil_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Fulfil one order, once that is confirmed."""
        return self._move_one(request, pk, fulfil_order, Status.FULFILLED)

    def cancel_one(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Cancel one order, once that is confirmed."""
        return self._move_one(request, pk, _cancel, Status.CANCELLED)

    def _move_one(self, request: HttpRequest, pk: UUID, step: Step, to: Status) -> HttpResponse:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        chosen = Order.objects.filter(pk=pk)
        get_object_or_404(chosen)
        page = reverse("admin:orders_order_change", args=[pk])
        return self._move(request, chosen, step, to, back=page) or redirect(page)

    def _move(
        self, request: HttpRequest, orders: QuerySet[Order], step: Step, to: Status, back: str = ""
    ) -> HttpResponse | None:
        """Return the form that asks, or None when it was answered and the orders have moved on."""
        chosen = list(orders[: AT_ONCE + 1])
        if len(chosen) > AT_ONCE:
            self.message_user(request, f"Choose at most {AT_ONCE} orders at once.", messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            return ask(self, request, "admin/orders/order/move.html", **_asked(chosen, to, back))
        self._tell(request, to, *_each(chosen, step))
        return None

    def _tell(self, request: HttpRequest, to: Status, count: int, failed: Sequence[str]) -> None:
        self.message_user(request, f"{count} {to}.", messages.SUCCESS if count else messages.WARNING)
        if failed:
            more = f" And {len(failed) - NAMED} more." if len(failed) > NAMED else ""
            self.message_user(request, " ".join(failed[:NAMED]) + more, messages.ERROR)


def _cancel(order: Order) -> Order:
    return cancel_order(order, by="staff")


def _each(orders: Sequence[Order], step: Step) -> tuple[int, Sequence[str]]:
    """Take each order one step on; return how many, and why the others could not be."""
    failed = []
    for order in orders:
        try:
            step(order)
        except APIException as error:
            failed.append(str(error.detail))
    return len(orders) - len(failed), failed


WHAT = {
    Status.FULFILLED: "They are marked as sent: the reserved pieces leave the stock, and the customers get a mail.",
    Status.CANCELLED: "They are called off for good: the reserved pieces are freed, and the customers get a mail.",
}


def _asked(chosen: Sequence[Order], to: Status, back: str) -> dict[str, Any]:
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
