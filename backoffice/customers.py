"""The page of a customer, with their orders."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.http import urlencode

from adminkit.pages import Page, Section, as_uuid, link, table
from adminkit.read_only import ReadOnly
from backoffice.models import Customer
from orders.models import Order
from values.emails import spellings
from values.folding import folded

SHOWN = 20  # orders on the page of a customer


@admin.register(Customer)
class CustomerAdmin(ReadOnly, Page[Customer]):
    """People who order. Their rights and passwords are on the pages of accounts."""

    list_display = ["email", "full_name", "is_active", "created_at"]
    list_filter = ["is_active"]
    search_fields = folded("full_name")
    search_help_text = "E-mail address or id, exactly; or a part of the name"
    ordering = ["-id"]
    fields = ["email", "full_name", "is_active", "created_at", "last_login", "id"]

    def find(self, rows: QuerySet[Customer], text: str) -> QuerySet[Customer] | None:
        """Find by id or address; names have no index, and are looked for among all."""
        if wanted := as_uuid(text):
            return rows.filter(pk=wanted)
        return rows.filter(email__in=spellings(text)) if "@" in text else None

    def sections(self, request: HttpRequest, row: Customer) -> Sequence[Section]:
        """Show the newest orders, to those who may see orders, with links to the rest and to the mails."""
        if not request.user.has_perm("orders.view_order"):
            return ()
        newest = Order.objects.filter(user=row.pk).order_by("-created_at", "-id")[:SHOWN]
        rows = [
            (link(one.number, "orders_order_change", one.pk), one.status, one.total, one.currency, one.created_at)
            for one in newest
        ]
        headers = ["Number", "Status", "Total", "Currency", "Placed"]
        orders = table("The newest orders of this customer", headers, rows)
        query = f"?{urlencode({'q': row.email})}"
        rest = link("All orders", "orders_order_changelist", query=query)
        mails = link("Mails to this customer", "notifications_notification_changelist", query=query)
        return [Section("Newest orders", format_html('{}<p class="mt-4">{} · {}</p>', orders, rest, mails))]
