"""Writes of the projections."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from events.catalogue import OrderData
from events.sql import columns

# Additions in the database: two at once cannot lose one. Rows in sorted order, as everywhere.
_ADD_ORDERS = """
INSERT INTO analytics_dailysales AS s (day, currency, status, orders, amount)
SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::int[], %s::numeric[])
ON CONFLICT (day, currency, status)
DO UPDATE SET orders = s.orders + EXCLUDED.orders, amount = s.amount + EXCLUDED.amount
"""
_ADD_LINES = """
INSERT INTO analytics_dailyproductsales AS s (day, sku, currency, status, quantity, amount)
SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::text[], %s::int[], %s::numeric[])
ON CONFLICT (day, sku, currency, status)
DO UPDATE SET quantity = s.quantity + EXCLUDED.quantity, amount = s.amount + EXCLUDED.amount
"""


Counted = tuple[OrderData, str, date]


def count_orders(counted: Iterable[Counted]) -> None:
    """Add orders, each with the status that it reached and the day (UTC) on which it did, to the figures."""
    orders: defaultdict[tuple[date, str, str], Sum] = defaultdict(Sum)
    lines: defaultdict[tuple[date, str, str, str], Sum] = defaultdict(Sum)
    for order, status, day in counted:
        orders[day, order.currency, status].add(1, order.total)
        for line in order.items:
            lines[day, line.sku, order.currency, status].add(line.quantity, line.line_total)
    with connection.cursor() as cursor:
        cursor.execute(_ADD_ORDERS, columns(_rows(orders), 5))
        cursor.execute(_ADD_LINES, columns(_rows(lines), 6))


@dataclass
class Sum:
    """What is added to one row of the figures."""

    count: int = 0
    amount: Decimal = Decimal(0)

    def add(self, count: int, amount: Decimal) -> None:
        """Add so many orders or pieces, of this worth."""
        self.count += count
        self.amount += amount


def _rows(sums: Mapping[tuple[Any, ...], Sum]) -> list[tuple[Any, ...]]:
    return [(*key, total.count, total.amount) for key, total in sorted(sums.items())]
