"""The six pieces in Celery's leanest form: SQL in place of the ORM, no table of messages, no mail at all.

What is done twice, lost or oversold is nobody's business here: it is the floor of what tasks cost.
"""

from django.db import connection, transaction
from uuid_utils.compat import uuid7

from benchmarks.plain.celery import app

RESERVE = """
WITH line AS (
    SELECT product.id, line.quantity FROM orders_orderline line JOIN inventory_product product USING (sku)
    WHERE line.order_id = %(order)s
), taken AS (
    UPDATE inventory_stockitem s SET reserved = s.reserved + line.quantity
    FROM line WHERE s.product_id = line.id AND s.on_hand >= s.reserved + line.quantity
    RETURNING s.product_id, line.quantity
)
INSERT INTO inventory_reservation (id, order_id, product_id, quantity, state)
SELECT (%(ids)s::uuid[])[row_number() OVER ()], %(order)s, product_id, quantity, 'active' FROM taken
"""
LOCK = """
SELECT 1 FROM inventory_stockitem s JOIN inventory_product p ON p.id = s.product_id
JOIN orders_orderline line USING (sku) WHERE line.order_id = %(order)s ORDER BY p.id FOR NO KEY UPDATE OF s
"""
CONFIRM = """
WITH confirmed AS (
    UPDATE orders_order SET status = 'confirmed', updated_at = now() WHERE id = %(order)s AND status = 'pending'
    RETURNING id
)
INSERT INTO orders_statuschange (id, order_id, from_status, to_status, reason)
SELECT %(id)s, id, 'pending', 'confirmed', '' FROM confirmed
"""
TRACK = """
WITH day AS (
    INSERT INTO analytics_dailysales AS d (day, currency, status, orders, amount)
    SELECT current_date, currency, %(status)s, 1, total FROM orders_order WHERE id = %(order)s
    ON CONFLICT (day, currency, status) DO UPDATE SET orders = d.orders + 1, amount = d.amount + EXCLUDED.amount
)
INSERT INTO analytics_dailyproductsales AS d (day, sku, currency, status, orders, quantity, amount)
SELECT current_date, l.sku, o.currency, %(status)s, 1, l.quantity, l.line_total
FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id WHERE o.id = %(order)s ORDER BY l.sku
ON CONFLICT (day, sku, currency, status) DO UPDATE
SET orders = d.orders + 1, quantity = d.quantity + EXCLUDED.quantity, amount = d.amount + EXCLUDED.amount
"""


@app.task
def reserve(order_id: str) -> None:
    """Take the pieces, the rows locked in one order."""
    with transaction.atomic():
        _execute(LOCK, order=order_id)
        _execute(RESERVE, order=order_id, ids=[uuid7() for _ in range(10)])
    confirm.delay(order_id)


@app.task
def confirm(order_id: str) -> None:
    _execute(CONFIRM, order=order_id, id=uuid7())
    mail.delay(order_id)
    track.delay(order_id, "confirmed")


@app.task
def mail(order_id: str) -> None:
    """Do nothing: what a task costs that has no work."""


@app.task
def track(order_id: str, status: str) -> None:
    _execute(TRACK, order=order_id, status=status)


def send_all(order_id: str) -> None:
    """Send what follows from a new order at once."""
    reserve.delay(order_id)
    mail.delay(order_id)
    track.delay(order_id, "pending")


def _execute(sql: str, **parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
