"""Every kind of report, and where its rows come from. Columns and what they mean: docs/reports.md."""

from analytics.sources import Source
from inventory import report_rows as inventory
from orders import report_rows as orders

SOURCES = {
    "sales": Source(orders.SALES_COLUMNS, orders.sales_rows),
    "orders": Source(orders.ORDER_COLUMNS, orders.order_rows),
    "stock": Source(inventory.MOVEMENT_COLUMNS, inventory.movement_rows),
}
