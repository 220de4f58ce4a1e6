"""Writes of stock: adjusting, reserving, releasing, shipping. Each in a transaction, products in sorted order.

Every change of a stock row is one conditional UPDATE, so two at once cannot both take the last piece, and one that
was done already changes nothing.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F
from rest_framework.exceptions import APIException
from uuid_utils.compat import uuid7

from events.errors import PermanentError
from events.sql import columns, execute
from inventory.models import Movement, Product, Reservation, StockItem

MAX_ADJUSTMENT = 1_000_000  # pieces at once: more is a slip of the finger


@dataclass(frozen=True)
class Short:
    """A product of which there is less than an order needs."""

    sku: str
    requested: int
    available: int


class OutOfStock(Exception):
    """Something was short; nothing was reserved."""

    def __init__(self, shortages: Sequence[Short]) -> None:
        super().__init__(", ".join(f"{s.sku}: {s.requested} wanted, {s.available} available" for s in shortages))
        self.shortages = shortages


class NoStockItem(PermanentError):
    """An order names a product that has no stock row: the data are wrong, and trying again cannot help."""


class BelowReserved(APIException):
    """The adjustment would leave fewer pieces than are set aside for orders."""

    status_code = 409
    default_code = "below_reserved"
    default_detail = "That would leave fewer pieces on hand than are reserved for orders."


@transaction.atomic
def adjust(product: Product, *, quantity: int, reason: str) -> StockItem:
    """Add `quantity` pieces (negative takes away) to what is on hand. Raises BelowReserved."""
    changed = StockItem.objects.filter(product=product, on_hand__gte=F("reserved") - quantity).update(
        on_hand=F("on_hand") + quantity
    )
    if not changed:
        raise BelowReserved
    Movement.objects.create(product=product, kind=Movement.Kind.ADJUSTMENT, quantity=quantity, reason=reason)
    return StockItem.objects.get(product=product)


@transaction.atomic
def reserve(order_id: UUID, wanted: Mapping[str, int]) -> None:
    """Set the wanted pieces (sku to quantity) aside for an order, or none of them: then raises OutOfStock.

    Does nothing where it was done already.
    """
    if Reservation.objects.filter(order_id=order_id).exists():
        return
    products = _products(wanted.keys())
    in_order = sorted(wanted, key=lambda sku: products[sku].id)  # the order in which _active() locks too
    shortages = [short for sku in in_order if (short := _take(products[sku], wanted[sku]))]
    if shortages:
        raise OutOfStock(shortages)
    Reservation.objects.bulk_create(
        Reservation(order_id=order_id, product=products[sku], quantity=quantity) for sku, quantity in wanted.items()
    )


@transaction.atomic
def reserve_many(wanted: Mapping[UUID, Mapping[str, int]]) -> dict[UUID, Sequence[Short]]:
    """Do what reserve() does for many orders, in the order given; return what was short for each, if anything.

    The stock rows stay locked to the end of the transaction, so that what is left can be told from one order to the
    next.
    """
    done = set(Reservation.objects.filter(order_id__in=wanted).values_list("order_id", flat=True))
    orders = {order_id: lines for order_id, lines in wanted.items() if order_id not in done}
    products = _products({sku for lines in orders.values() for sku in lines})
    items = _lock(products)
    shortages = {order_id: _set_aside(items, lines) for order_id, lines in orders.items()}
    reserved = [(item.product_id, item.reserved) for item in items.values()]
    lines = [
        (uuid7(), order_id, products[sku].id, quantity)
        for order_id, wanted_lines in orders.items()
        if not shortages[order_id]
        for sku, quantity in wanted_lines.items()
    ]
    execute(_SET_RESERVED, dict(zip(("products", "reserved"), columns(reserved, 2), strict=True)))
    execute(_RESERVE, dict(zip(("ids", "orders", "products", "quantities"), columns(lines, 4), strict=True)))
    return dict.fromkeys(wanted, ()) | shortages


# What bulk_update() and bulk_create() would do, at a third of their cost: the ORM writes a value for each field of
# each row into the statement.
_SET_RESERVED = """
UPDATE inventory_stockitem s SET reserved = new.reserved
FROM unnest(%(products)s::uuid[], %(reserved)s::bigint[]) AS new (product_id, reserved)
WHERE s.product_id = new.product_id AND s.reserved <> new.reserved
"""
_RESERVE = """
INSERT INTO inventory_reservation (id, order_id, product_id, quantity, state, created_at)
SELECT id, order_id, product_id, quantity, 'active', now()
FROM unnest(%(ids)s::uuid[], %(orders)s::uuid[], %(products)s::uuid[], %(quantities)s::int[])
     AS new (id, order_id, product_id, quantity)
"""


@transaction.atomic
def release(order_id: UUID) -> int:
    """Free what is set aside for an order; return how many lines. Nothing to free is fine."""
    return sum(_end(r, Reservation.State.RELEASED, on_hand=0) for r in _active(order_id))


@transaction.atomic
def ship(order_id: UUID) -> int:
    """Take what is set aside for an order off the shelf; return how many lines. Done already is fine."""
    return sum(_ship(reservation) for reservation in _active(order_id))


def _products(skus: Set[str]) -> dict[str, Product]:
    found = Product.objects.filter(sku__in=skus, stock__isnull=False)
    products = {product.sku: product for product in found}
    missing = sorted(skus - products.keys())
    if missing:
        raise NoStockItem(f"no stock item for {', '.join(missing)}: add it, then replay")
    return products


def _take(product: Product, quantity: int) -> Short | None:
    taken = StockItem.objects.filter(product=product, on_hand__gte=F("reserved") + quantity).update(
        reserved=F("reserved") + quantity
    )
    if taken:
        return None
    return Short(product.sku, quantity, StockItem.objects.get(product=product).available)


def _lock(products: Mapping[str, Product]) -> dict[str, StockItem]:
    """Lock the stock rows of these products, in the order in which all are locked."""
    ids = sorted(product.id for product in products.values())
    rows = {i.product_id: i for i in StockItem.objects.select_for_update().filter(product__in=ids).order_by("product")}
    return {sku: rows[product.id] for sku, product in products.items()}


def _set_aside(items: Mapping[str, StockItem], lines: Mapping[str, int]) -> Sequence[Short]:
    """Reserve one order's lines on these locked rows, not yet written, or none of them: then return what is short."""
    short = [Short(sku, n, items[sku].available) for sku, n in lines.items() if items[sku].available < n]
    if not short:
        for sku, quantity in lines.items():
            items[sku].reserved += quantity
    return short


def _active(order_id: UUID) -> Sequence[Reservation]:
    """Lock an order's active reservations, in the order in which all stock rows are locked."""
    return list(
        Reservation.objects.select_for_update(of=("self",))
        .filter(order_id=order_id, state=Reservation.State.ACTIVE)
        .order_by("product_id")
    )


def _end(reservation: Reservation, state: Reservation.State, *, on_hand: int) -> int:
    """Give the pieces of a locked reservation back, `on_hand` of them leaving the shelf."""
    Reservation.objects.filter(pk=reservation.pk).update(state=state)
    return StockItem.objects.filter(product_id=reservation.product_id).update(
        reserved=F("reserved") - reservation.quantity, on_hand=F("on_hand") - on_hand
    )


def _ship(reservation: Reservation) -> int:
    Movement.objects.create(
        product_id=reservation.product_id,
        kind=Movement.Kind.SHIPMENT,
        quantity=-reservation.quantity,
        order_id=reservation.order_id,
    )
    return _end(reservation, Reservation.State.SHIPPED, on_hand=reservation.quantity)
