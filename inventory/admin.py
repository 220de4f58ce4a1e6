"""Admin pages of catalogue and stock."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from rest_framework.exceptions import APIException

from events.read_only import ReadOnly
from inventory import stock
from inventory.models import Movement, Product, Reservation, StockItem
from inventory.stock import MAX_ADJUSTMENT


class ProductForm(forms.ModelForm[Product]):
    """A product, and pieces to add to its stock."""

    add_pieces = forms.IntegerField(
        required=False,
        initial=0,
        min_value=-MAX_ADJUSTMENT,
        max_value=MAX_ADJUSTMENT,
        help_text="Pieces that came (or, negative, went).",
    )
    reason = forms.CharField(required=False, max_length=200, help_text="Why the stock changes.")

    class Meta:
        model = Product
        fields = ["sku", "name", "description", "price", "currency", "is_active"]

    def clean(self) -> dict[str, Any] | None:
        """Ask for a reason with every change of stock."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("add_pieces") and not cleaned.get("reason"):
            self.add_error("reason", "Say why the stock changes.")
        return cleaned


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin[Product]):
    """The catalogue, with stock adjusted by the same service as over REST."""

    form = ProductForm
    list_display = ["sku", "name", "price", "currency", "on_hand", "reserved", "is_active"]
    list_filter = ["is_active"]
    list_select_related = ["stock"]
    search_fields = ["sku", "name"]
    ordering = ["sku"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Take a product off sale by making it inactive: its movements must stay."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> list[str]:
        """Fix the sku once events may name it."""
        return ["sku", "currency"] if obj else []

    @admin.display(ordering="stock__on_hand")
    def on_hand(self, product: Product) -> int:
        """Return the pieces on the shelf."""
        return product.stock.on_hand

    @admin.display(ordering="stock__reserved")
    def reserved(self, product: Product) -> int:
        """Return the pieces set aside for orders."""
        return product.stock.reserved

    def save_model(self, request: HttpRequest, obj: Product, form: forms.ModelForm[Product], change: bool) -> None:
        """Save the product, then book the pieces."""
        super().save_model(request, obj, form, change)
        StockItem.objects.get_or_create(product=obj)
        if form.cleaned_data.get("add_pieces"):
            self._adjust(request, obj, form.cleaned_data)

    def _adjust(self, request: HttpRequest, product: Product, cleaned: dict[str, Any]) -> None:
        try:
            stock.adjust(product, quantity=cleaned["add_pieces"], reason=cleaned["reason"])
        except APIException as error:
            self.message_user(request, f"The stock was not changed: {error.detail}", messages.ERROR)


@admin.register(Reservation)
class ReservationAdmin(ReadOnly, admin.ModelAdmin[Reservation]):
    """What is set aside, and for which order."""

    list_display = ["order_id", "product", "quantity", "state", "created_at"]
    list_filter = ["state"]
    list_select_related = ["product"]
    search_fields = ["=order_id", "=product__sku"]
    ordering = ["-id"]
    show_full_result_count = False


@admin.register(Movement)
class MovementAdmin(ReadOnly, admin.ModelAdmin[Movement]):
    """The ledger of what came and went."""

    list_display = ["at", "product", "kind", "quantity", "reason", "order_id"]
    list_filter = ["kind"]
    list_select_related = ["product"]
    search_fields = ["=order_id", "=product__sku"]
    ordering = ["-id"]
    show_full_result_count = False
