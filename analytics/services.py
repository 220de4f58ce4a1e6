"""Writes of the projections."""

from datetime import date

from django.db import connection

from events.catalogue import OrderData

# Additions in the database: two at once cannot lose one. Rows in sorted order, as everywhere.
_ADD_ORDER = """
INSERT INTO analytics_dailysales AS s (day, currency, status, orders, amount) VALUES (%s, %s, %s, 1, %s)
ON CONFLICT (day, currency, status) DO UPDATE SET orders = s.orders + 1, amount = s.amount + EXCLUDED.amount
"""
_ADD_LINE = """
INSERT INTO analytics_dailyproductsales AS s (day, sku, currency, status, quantity, amount)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (day, sku, currency, status)
DO UPDATE SET quantity = s.quantity + EXCLUDED.quantity, amount = s.amount + EXCLUDED.amount
"""


def count_order(order: OrderData, *, status: str, day: date) -> None:
    """Add an order that reached this status on this day (UTC) to the figures."""
    lines = sorted(order.items, key=lambda line: line.sku)
    with connection.cursor() as cursor:
        cursor.execute(_ADD_ORDER, [day, order.currency, status, order.total])
        cursor.executemany(
            _ADD_LINE, [[day, line.sku, order.currency, status, line.quantity, line.line_total] for line in lines]
        )
