"""Admin pages of catalogue and stock."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from rest_framework.exceptions import APIException

from adminkit.csv_export import Exported
from adminkit.filters import DaysFilter
from adminkit.forms import NumberInput, TextInput
from adminkit.pages import Page, Section, as_uuid, link, table
from adminkit.read_only import ReadOnly
from inventory import stock
from inventory.models import Movement, Product, Reservation, StockItem
from inventory.stock import MAX_ADJUSTMENT
from values.folding import folded

SHOWN = 20  # movements on the page of a product


class ProductForm(forms.ModelForm[Product]):
    """A product, and pieces to add to its stock."""

    add_pieces = forms.IntegerField(
        required=False,
        initial=0,
        min_value=-MAX_ADJUSTMENT,
        max_value=MAX_ADJUSTMENT,
        help_text="Pieces that came (or, negative, went).",
        widget=NumberInput(),
    )
    reason = forms.CharField(required=False, max_length=200, help_text="Why the stock changes.", widget=TextInput())

    class Meta:
        model = Product
        fields = ["sku", "name", "description", "price", "currency", "is_active"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("add_pieces") and not cleaned.get("reason"):
            self.add_error("reason", "Say why the stock changes.")
        return cleaned


@admin.register(Product)
class ProductAdmin(Exported[Product]):
    """The catalogue, with stock adjusted by the same service as over REST."""

    form = ProductForm
    export_fields = ["sku", "name", "price", "currency", "on_hand", "reserved", "available", "is_active", "id"]
    list_display = [*export_fields[:-1]]
    list_filter = ["is_active"]
    list_select_related = ["stock"]
    search_fields = folded("sku", "name")
    ordering = ["sku"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Take a product off sale by making it inactive: its movements must stay."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> list[str]:
        """Fix the sku once events may name it; show what there is."""
        return ["sku", "currency", "on_hand", "reserved", "available"] if obj else []

    def get_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        """Show the stock beside what changes it, which is for those who may."""
        of_product = ["sku", "name", "description", "price", "currency", "is_active"]
        of_stock = ["on_hand", "reserved", "available"] if obj else []
        may_change = self.has_change_permission(request, obj) if obj else True
        return [*of_product, *of_stock, *(["add_pieces", "reason"] if may_change else [])]

    @admin.display(ordering="stock__on_hand")
    def on_hand(self, product: Product) -> int:
        return product.stock.on_hand

    @admin.display(ordering="stock__reserved")
    def reserved(self, product: Product) -> int:
        return product.stock.reserved

    @admin.display
    def available(self, product: Product) -> int:
        return product.stock.available

    def sections(self, request: HttpRequest, row: Product) -> Sequence[Section]:
        newest = row.movements.order_by("-id")[:SHOWN]
        cells = [(m.at, m.kind, f"{m.quantity:+}", m.reason, m.order_id or "") for m in newest]
        shown = table("The last movements of this product", ["At", "Kind", "Pieces", "Reason", "Order"], cells)
        rest = link("All movements", "inventory_movement_changelist", query=f"?q={row.sku}")
        return [Section("Last movements", format_html('{}<p class="mt-4">{}</p>', shown, rest))]

    def save_model(self, request: HttpRequest, obj: Product, form: forms.ModelForm[Product], change: bool) -> None:
        super().save_model(request, obj, form, change)
        StockItem.objects.get_or_create(product=obj)
        if form.cleaned_data.get("add_pieces"):
            try:
                stock.adjust(obj, quantity=form.cleaned_data["add_pieces"], reason=form.cleaned_data["reason"])
            except APIException as error:
                self.message_user(request, f"The stock was not changed: {error.detail}", messages.ERROR)


class _OfProduct(ReadOnly, Page[Any]):
    """Rows that belong to a product, and most to an order."""

    list_select_related = ["product"]
    search_fields = ["order_id"]
    search_help_text = "An order's id, or a sku: exactly"
    ordering = ["-id"]

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        order_id = as_uuid(text)
        return rows.filter(order_id=order_id) if order_id else rows.filter(product__sku=text)


@admin.register(Reservation)
class ReservationAdmin(_OfProduct):
    """What is set aside, and for which order."""

    list_display = ["order_id", "product", "quantity", "state", "created_at"]
    list_filter = ["state"]


@admin.register(Movement)
class MovementAdmin(_OfProduct, Exported[Movement]):
    """The ledger of what came and went."""

    export_fields = ["at", "product", "kind", "quantity", "reason", "order_id", "id"]
    list_display = [*export_fields[:-1]]
    list_filter = ["kind", ("at", DaysFilter)]
    list_filter_submit = True

    def find(self, rows: QuerySet[Movement], text: str) -> QuerySet[Movement]:
        """Find by what an index finds: of the movements of orders, which are shipments, there is one."""
        found = super().find(rows, text)
        return found.filter(kind=Movement.Kind.SHIPMENT) if as_uuid(text) else found
