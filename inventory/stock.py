"""Writes of stock: adjusting, reserving, releasing, shipping. Each in a transaction, for one order or for many.

Stock rows are locked in sorted order before their counts are changed, so two at once cannot both take the last piece,
and what was done already changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from rest_framework.exceptions import APIException
from uuid_utils.compat import uuid7

from events.errors import PermanentError
from events.sql import columns, execute_soon, fetch, joined_transaction
from eventtypes.stock import Shortage
from inventory.models import Movement, Product, Reservation, StockItem

MAX_ADJUSTMENT = 1_000_000  # pieces at once: more is a slip of the finger


class NoStockItem(PermanentError):
    """An order names a product that has no stock row: the data are wrong, and trying again cannot help."""


class BelowReserved(APIException):
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


@joined_transaction()
def reserve(wanted: Mapping[UUID, Mapping[str, int]]) -> dict[UUID, Sequence[Shortage]]:
    """Set the wanted pieces (sku to quantity) of each order aside, or none of its; return what each was short of.

    In the order given. Nothing is done for an order for which it was done already, and that is short of nothing. Raises
    NoStockItem. The stock rows stay locked to the end of the transaction, so that what is left can be told from one
    order to the next.
    """
    items, done = _lock_skus({sku for lines in wanted.values() for sku in lines}, wanted.keys())
    orders = {order_id: lines for order_id, lines in wanted.items() if order_id not in done}
    if missing := sorted({sku for lines in orders.values() for sku in lines} - items.keys()):
        raise NoStockItem(f"no stock item for {', '.join(missing)}: add it, then replay")
    shortages = {order_id: _reserve_lines(items, lines) for order_id, lines in orders.items()}
    lines = [
        (uuid7(), order_id, items[sku].product_id, quantity)
        for order_id, wanted_lines in orders.items()
        if not shortages[order_id]
        for sku, quantity in wanted_lines.items()
    ]
    reserved = dict(zip(("ids", "orders", "of", "quantities"), columns(lines, 4), strict=True))
    execute_soon(_RESERVE, _counts(items.values()) | reserved)
    return dict.fromkeys(wanted, ()) | shortages


@joined_transaction()
def release(order_ids: Collection[UUID]) -> int:
    """Free what is set aside for these orders; return how many lines. Nothing to free is fine."""
    return len(_end(order_ids, Reservation.State.RELEASED))


@joined_transaction()
def ship(order_ids: Collection[UUID]) -> int:
    """Take what is set aside for these orders off the shelf; return how many lines. Done already is fine."""
    shipped = _end(order_ids, Reservation.State.SHIPPED)
    Movement.objects.bulk_create(
        Movement(product_id=r.product_id, kind=Movement.Kind.SHIPMENT, quantity=-r.quantity, order_id=r.order_id)
        for r in shipped
    )
    return len(shipped)


def _lock_skus(skus: Collection[str], order_ids: Collection[UUID]) -> tuple[dict[str, StockItem], Set[UUID]]:
    """Lock the stock rows of these products; return them by sku, and those of the orders that have reserved already."""
    rows = fetch(_LOCK_SKUS, {"skus": list(skus), "orders": list(order_ids)})
    items = {row[0]: StockItem(product_id=row[1], on_hand=row[2], reserved=row[3]) for row in rows}
    return items, set(rows[0][4]) if rows else set()


# In the order of _lock(), as the rows are read. What is reserved already is that of before the locks; should the same
# order be reserved twice at once, which the lock of its delivery prevents, its unique constraint would refuse it.
_LOCK_SKUS = """
SELECT product.sku, item.product_id, item.on_hand, item.reserved,
       ARRAY(SELECT DISTINCT order_id FROM inventory_reservation WHERE order_id = ANY(%(orders)s::uuid[]))
FROM inventory_stockitem item JOIN inventory_product product ON product.id = item.product_id
WHERE product.sku = ANY(%(skus)s::text[])
ORDER BY item.product_id FOR NO KEY UPDATE OF item
"""


def _lock(**which: Any) -> QuerySet[StockItem]:
    """Return stock rows that are locked as they are read, in the order in which all are locked."""
    rows = StockItem.objects.select_for_update(of=("self",), no_key=True)
    return rows.filter(**which).order_by("product_id")


def _reserve_lines(items: Mapping[str, StockItem], lines: Mapping[str, int]) -> Sequence[Shortage]:
    """Reserve one order's lines on these locked rows, not yet written, or none of them: then return what is short."""
    short = [
        Shortage(sku=sku, requested=n, available=items[sku].available)
        for sku, n in lines.items()
        if items[sku].available < n
    ]
    if not short:
        for sku, quantity in lines.items():
            items[sku].reserved += quantity
    return short


def _end(order_ids: Collection[UUID], state: Reservation.State) -> Sequence[Reservation]:
    """Give back what is set aside for these orders; where it is shipped, it leaves the shelf. Return the lines."""
    active = Reservation.objects.filter(order_id__in=order_ids, state=Reservation.State.ACTIVE)
    ended = list(active.select_for_update(of=("self",), no_key=True).order_by("product_id", "id"))
    products = {reservation.product_id for reservation in ended}
    items = {item.product_id: item for item in _lock(product__in=products)}
    for reservation in ended:
        items[reservation.product_id].reserved -= reservation.quantity
        if state is Reservation.State.SHIPPED:
            items[reservation.product_id].on_hand -= reservation.quantity
    execute_soon(_SET_COUNTS, _counts(items.values()))
    Reservation.objects.filter(pk__in=[reservation.pk for reservation in ended]).update(state=state)
    return ended


def _counts(items: Iterable[StockItem]) -> dict[str, Any]:
    """Return what _SET_COUNTS takes."""
    counts = columns([(item.product_id, item.on_hand, item.reserved) for item in items], 3)
    return dict(zip(("products", "on_hand", "reserved"), counts, strict=True))


# What bulk_update() and bulk_create() would do, at a third of their cost: the ORM writes a value for each field of
# each row into the statement.
_SET_COUNTS = """
UPDATE inventory_stockitem s SET on_hand = new.on_hand, reserved = new.reserved
FROM unnest(%(products)s::uuid[], %(on_hand)s::bigint[], %(reserved)s::bigint[]) AS new (product_id, on_hand, reserved)
WHERE s.product_id = new.product_id AND (s.on_hand, s.reserved) <> (new.on_hand, new.reserved)
"""
_RESERVE = f"""
WITH counted AS ({_SET_COUNTS})
INSERT INTO inventory_reservation (id, order_id, product_id, quantity, state, created_at)
SELECT id, order_id, product_id, quantity, 'active', now()
FROM unnest(%(ids)s::uuid[], %(orders)s::uuid[], %(of)s::uuid[], %(quantities)s::int[])
     AS new (id, order_id, product_id, quantity)
"""
