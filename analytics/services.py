"""Writes of the projections."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from events.sql import columns
from eventtypes.orders import OrderData

TRACK = "analytics.track_order"  # the handler

# Additions in the database: two at once cannot lose one. Rows in sorted order, as everywhere, and those of
# days first: PostgreSQL runs a statement before a part of it that nothing reads.
_ADD = """
WITH lines AS (
    INSERT INTO analytics_dailyproductsales AS s (day, sku, currency, status, orders, quantity, amount)
    SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::numeric[])
    ON CONFLICT (day, sku, currency, status)
    DO UPDATE SET orders = s.orders + EXCLUDED.orders, quantity = s.quantity + EXCLUDED.quantity,
        amount = s.amount + EXCLUDED.amount
)
INSERT INTO analytics_dailysales AS s (day, currency, status, orders, amount)
SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::int[], %s::numeric[])
ON CONFLICT (day, currency, status)
DO UPDATE SET orders = s.orders + EXCLUDED.orders, amount = s.amount + EXCLUDED.amount
"""


def count_orders(counted: Iterable[tuple[OrderData, date]]) -> None:
    """Add orders, each with the day (UTC) on which it reached its event's status, to the figures."""
    figures = Figures()
    for order, day in counted:
        figures.add(order, day)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, columns(rows_of(figures.lines), 7) + columns(rows_of(figures.orders), 5))


class Figures:
    """Sums by the keys that the tables have: how events become figures, for the handler and for who makes them anew.

    Of `orders` how many and their amount; of `lines` the orders, the pieces and their amount.
    """

    def __init__(self) -> None:
        self.orders: dict[tuple[date, str, str], tuple[int, Decimal]] = {}
        self.lines: dict[tuple[date, str, str, str], tuple[int, int, Decimal]] = {}

    def add(self, order: OrderData, day: date) -> None:
        key = day, order.currency, order.status
        orders, amount = self.orders.get(key, (0, Decimal(0)))
        self.orders[key] = orders + 1, amount + order.total
        for line in order.items:
            line_key = day, line.sku, order.currency, order.status
            orders, pieces, amount = self.lines.get(line_key, (0, 0, Decimal(0)))
            self.lines[line_key] = orders + 1, pieces + line.quantity, amount + line.line_total


def rows_of(sums: Mapping[Any, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the rows of a table, sorted as all who write them do."""
    return [(*key, *sums[key]) for key in sorted(sums)]
