"""Reads of catalogue and stock."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from inventory.models import Movement, Product, Reservation, StockItem
from values.folding import folded

SHOWN = ("sku", "name", "description", "price", "currency", "stock__on_hand", "stock__reserved")


def catalogue(*, include_inactive: bool = False) -> QuerySet[Product]:
    """Return the products with their stock."""
    products = Product.objects.select_related("stock")
    return products if include_inactive else products.filter(is_active=True)


def version_of(products: QuerySet[Product], sku: str) -> tuple[object, ...] | None:
    """Return all that is shown of a product, by one look-up; None where it is not there."""
    return products.filter(sku=sku).values_list(*SHOWN).first()


def version_in(product: Product) -> tuple[object, ...]:
    """Return the same of a product that was read."""
    return attrgetter(*(name.replace("__", ".") for name in SHOWN))(product)


def search(products: QuerySet[Product], text: str) -> QuerySet[Product]:
    """Return those whose sku, name or description contains the text, in any case and Unicode spelling."""
    if not text:
        return products
    lookups = folded("sku", "name", "description")
    return products.filter(Q(*((lookup, text) for lookup in lookups), _connector=Q.OR))


class Offer(NamedTuple):
    """What an order copies of a product."""

    sku: str
    name: str
    price: Decimal
    currency: str


# By hand, since each order asks it, and the ORM takes longer to write it than PostgreSQL to answer.
_FOR_SALE = "SELECT sku, name, price, currency FROM inventory_product WHERE sku = ANY(%s) AND is_active"


def for_sale(skus: Collection[str]) -> Mapping[str, Offer]:
    """Return what is sold of these skus, by sku."""
    with connection.cursor() as cursor:
        cursor.execute(_FOR_SALE, [list(skus)])
        return {row[0]: Offer(*row) for row in cursor.fetchall()}


NEWEST = 10_000  # reservations of one product; a person turns no further


def reserved_for(sku: str) -> QuerySet[Reservation, UUID]:
    """Return the ids of the orders for which pieces of this product were ever set aside, the newest NEWEST of them."""
    return Reservation.objects.filter(product__sku=sku).order_by("-id").values_list("order_id", flat=True)[:NEWEST]


@dataclass(frozen=True)
class Violation:
    """A product whose books do not agree."""

    sku: str
    on_hand: int
    moved: int
    reserved: int
    active: int


def stock_violations() -> list[Violation]:
    """Return the products where on_hand is not the sum of movements, or reserved not that of active reservations.

    All sums come from one statement, so from one snapshot.
    """
    moved = _total(Movement.objects.filter(product=OuterRef("product")))
    active = _total(Reservation.objects.filter(product=OuterRef("product"), state=Reservation.State.ACTIVE))
    rows = StockItem.objects.annotate(moved=moved, active=active).exclude(on_hand=F("moved"), reserved=F("active"))
    return [Violation(*row) for row in rows.values_list("product__sku", "on_hand", "moved", "reserved", "active")]


def _total(rows: QuerySet[Any]) -> Coalesce:
    sums = rows.order_by().values("product").annotate(total=Sum("quantity")).values("total")
    return Coalesce(Subquery(sums), 0)
