"""What reports tell of stock: the ledger of movements, to which is only ever added."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from events import chunks

MOVEMENTS = chunks.Table("inventory_movement", "at")
MOVEMENT_COLUMNS = ("at", "sku", "kind", "quantity", "reason", "order_id", "movement_id")

_MOVEMENTS = f"""
SELECT m.at, p.sku, m.kind, m.quantity, m.reason, m.order_id, m.id
FROM {MOVEMENTS.chunk("product_id, kind, quantity, reason, order_id")} AS m
JOIN inventory_product p ON p.id = m.product_id
ORDER BY m.at, m.id
"""


def movement_rows(
    since: datetime, until: datetime, as_of: datetime
) -> Iterator[tuple[datetime, Sequence[Sequence[object]]]]:
    """Yield, chunk by chunk, the movements from one moment to another, each chunk with the moment up to which it goes.

    `as_of` changes nothing: a movement never does.
    """
    yield from chunks.read(MOVEMENTS, _MOVEMENTS, since=since, until=until)
