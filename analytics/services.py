"""Writes of the projections."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import add, itemgetter
from typing import Any

from django.db import connection

from events.sql import columns
from eventtypes.orders import OrderData

# Additions in the database: two at once cannot lose one. Rows in sorted order, as everywhere.
_ADD_ORDERS = """
INSERT INTO analytics_dailysales AS s (day, currency, status, orders, amount)
SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::int[], %s::numeric[])
ON CONFLICT (day, currency, status)
DO UPDATE SET orders = s.orders + EXCLUDED.orders, amount = s.amount + EXCLUDED.amount
"""
_ADD_LINES = """
INSERT INTO analytics_dailyproductsales AS s (day, sku, currency, status, orders, quantity, amount)
SELECT * FROM unnest(%s::date[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::numeric[])
ON CONFLICT (day, sku, currency, status)
DO UPDATE SET orders = s.orders + EXCLUDED.orders, quantity = s.quantity + EXCLUDED.quantity,
    amount = s.amount + EXCLUDED.amount
"""


def count_orders(counted: Iterable[tuple[OrderData, date]]) -> None:
    """Add orders, each with the day (UTC) on which it reached its event's status, to the figures."""
    figures = Figures()
    for order, day in counted:
        figures.add(order, day)
    with connection.cursor() as cursor:
        cursor.execute(_ADD_ORDERS, columns(rows_of(figures.orders), 5))
        cursor.execute(_ADD_LINES, columns(rows_of(figures.lines), 7))


@dataclass
class Sum:
    """What is added to one row of the figures: orders, for products pieces too, and their worth."""

    counts: tuple[int, ...] = ()
    amount: Decimal = Decimal(0)

    def add(self, *counts: int, amount: Decimal) -> None:
        """Add so many, of this worth."""
        self.counts = tuple(map(add, self.counts or (0,) * len(counts), counts))
        self.amount += amount


class Figures:
    """Sums by the keys that the tables have: how events become figures, for the handler and for who makes them anew."""

    def __init__(self) -> None:
        self.orders: defaultdict[tuple[date, str, str], Sum] = defaultdict(Sum)
        self.lines: defaultdict[tuple[date, str, str, str], Sum] = defaultdict(Sum)

    def add(self, order: OrderData, day: date) -> None:
        """Count an order that reached its event's status on a day."""
        self.orders[day, order.currency, order.status].add(1, amount=order.total)
        for line in order.items:
            self.lines[day, line.sku, order.currency, order.status].add(1, line.quantity, amount=line.line_total)


def rows_of(sums: Mapping[Any, Sum]) -> list[tuple[Any, ...]]:
    """Return the rows of a table, sorted as all who write them do."""
    return [(*key, *total.counts, total.amount) for key, total in sorted(sums.items(), key=itemgetter(0))]
