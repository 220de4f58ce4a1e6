"""What reports tell of orders: read from rows that are only ever added, and so the same whenever it is read again.

An order's own status changes. What it was at a moment, the last step before then says.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from events import chunks
from values.money import in_currency

ORDERS = chunks.Table("orders_order", "created_at")

ORDER_COLUMNS = (
    "number", "order_id", "placed_at", "customer_id", "status", "status_since", "currency", "total", "lines", "pieces",
)  # fmt: skip

# OFFSET 0 has each looked up order by order, by its index: joined, with old statistics, whole tables might be read.
_STATUS = """(SELECT s.to_status, s.at FROM orders_statuschange s
    WHERE s.order_id = o.id AND s.at < %(as_of)s::timestamptz ORDER BY s.at DESC, s.id DESC LIMIT 1)"""
_LINES = """(SELECT l.sku, l.quantity, l.line_total FROM orders_orderline l WHERE l.order_id = o.id OFFSET 0)"""

_ORDERS = f"""
SELECT o.number, o.id, o.created_at, o.user_id, status.to_status, status.at, o.currency, o.total, lines, pieces
FROM {ORDERS.chunk("number, user_id, currency, total")} AS o
LEFT JOIN LATERAL {_STATUS} AS status ON true
CROSS JOIN LATERAL (SELECT count(*) AS lines, coalesce(sum(quantity), 0) AS pieces FROM {_LINES} AS line) AS counted
ORDER BY o.created_at, o.id
"""

_SALES = f"""
SELECT (o.created_at AT TIME ZONE 'UTC')::date AS day, line.sku, o.currency, status.to_status,
       count(*), sum(line.quantity), sum(line.line_total)
FROM {ORDERS.chunk("currency")} AS o
CROSS JOIN LATERAL {_STATUS} AS status
CROSS JOIN LATERAL {_LINES} AS line
GROUP BY 1, 2, 3, 4 ORDER BY 1
"""

# The status at that moment, and the two columns in which its pieces and their worth stand.
OF_STATUS = {"pending": "pending", "confirmed": "sold", "fulfilled": "sold", "rejected": "rejected",
             "cancelled": "cancelled"}  # fmt: skip
SHARES = tuple(dict.fromkeys(OF_STATUS.values()))
SALES_COLUMNS = (
    "day", "sku", "currency", "orders", "pieces", "amount",
    *(f"{share}_{what}" for share in SHARES for what in ("pieces", "amount")),
)  # fmt: skip

Rows = Iterator[tuple[datetime, Sequence[Sequence[object]]]]


def order_rows(since: datetime, until: datetime, as_of: datetime) -> Rows:
    """Yield, chunk by chunk, a row for each order placed from one moment to another, as it was `as_of` a third.

    With each chunk comes the moment up to which was read.
    """
    for reached, found in chunks.read(ORDERS, _ORDERS, since=since, until=until, as_of=as_of):
        yield (
            reached,
            [
                (*before, currency, in_currency(total, currency), lines, pieces)
                for *before, currency, total, lines, pieces in found
            ],
        )


def sales_rows(since: datetime, until: datetime, as_of: datetime) -> Rows:
    """Yield rows as order_rows() does: one for each day (UTC) of placing, product and currency."""
    day = _Day(since.date())
    for reached, found in chunks.read(ORDERS, _SALES, since=since, until=until, as_of=as_of):
        over: list[Sequence[object]] = []
        for of_day, *figures in found:
            if of_day != day.day:
                over += day.rows()
                day = _Day(of_day)
            day.add(*figures)
        yield reached, over
    yield until, day.rows()


class _Share:
    """Orders, pieces and worth of a product on a day: of all, or of those in one status."""

    def __init__(self) -> None:
        self.orders, self.pieces, self.amount = 0, 0, Decimal(0)

    def add(self, orders: int, pieces: int, amount: Decimal) -> None:
        self.orders, self.pieces, self.amount = self.orders + orders, self.pieces + pieces, self.amount + amount


class _Day:
    """The figures of one day, which several chunks may bring: as many as products were ordered on it."""

    def __init__(self, day: date) -> None:
        self.day = day
        self._products: dict[tuple[str, str], dict[str, _Share]] = {}

    def add(self, sku: str, currency: str, status: str, orders: int, pieces: int, amount: Decimal) -> None:
        shares = self._products.setdefault((sku, currency), {name: _Share() for name in ("all", *SHARES)})
        for name in ("all", OF_STATUS[status]):
            shares[name].add(orders, pieces, in_currency(amount, currency))

    def rows(self) -> list[Sequence[object]]:
        found: list[Sequence[object]] = []
        for (sku, currency), shares in sorted(self._products.items(), key=lambda item: item[0]):
            whole = shares["all"]
            parts = [value for name in SHARES for value in (shares[name].pieces, shares[name].amount)]
            found.append((self.day, sku, currency, whole.orders, whole.pieces, whole.amount, *parts))
        return found
