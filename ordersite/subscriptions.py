"""The whole map: every event, and who handles it. A handler is deployed before it is subscribed here."""

from analytics import tasks as analytics
from events.subscriptions import Consumer, Milestones
from eventtypes.orders import OrderCancelledV1, OrderConfirmedV1, OrderCreatedV1, OrderFulfilledV1, OrderRejectedV1
from eventtypes.reports import ReportRequestedV1
from eventtypes.sales import SalesDayEndedV1
from eventtypes.stock import StockRejectedV1, StockReservedV1
from eventtypes.users import UserCreatedV1
from inventory import tasks as inventory
from notifications import tasks as notifications
from orders import tasks as orders
from ordersite import compensations

SUBSCRIPTIONS = {
    UserCreatedV1: [notifications.send_welcome],
    OrderCreatedV1: [inventory.reserve_items, notifications.send_order_received, analytics.track_order],
    StockReservedV1: [orders.confirm],
    StockRejectedV1: [orders.reject],
    OrderConfirmedV1: [notifications.send_order_confirmed, analytics.track_order],
    OrderRejectedV1: [notifications.send_order_rejected, analytics.track_order],
    OrderCancelledV1: [inventory.release_items, notifications.send_order_cancelled, analytics.track_order],
    OrderFulfilledV1: [inventory.ship_items, notifications.send_order_fulfilled, analytics.track_order],
    ReportRequestedV1: [analytics.build_report],
    SalesDayEndedV1: [notifications.send_sales_summary],
}

# The part of a handler's name before the dot: its queue, its order, its dead letters (inventory.dlq, ...).
CONSUMERS = {
    "inventory": Consumer(dead_holds=True),
    "orders": Consumer(dead_holds=True),
    "notifications": Consumer(dead_holds=False, linger=1.0),  # nobody waits for these two
    "analytics": Consumer(dead_holds=False, linger=1.0),
    "reports": Consumer(dead_holds=False, in_flight=2),  # each may take minutes: as many as processes build
}

# What is done in place of a step that a person discards, in the same transaction: the books need these.
COMPENSATIONS = {
    inventory.reserve_items: compensations.reject,
    inventory.release_items: compensations.release,
    inventory.ship_items: compensations.release,
    orders.confirm: compensations.reject_and_release,
    orders.reject: compensations.reject,
}

# The admin's page of what an event is about, by the first part of the event's type: dead letters link there.
SUBJECT_PAGES = {
    "order": "orders_order_change",
    "stock": "orders_order_change",
    "user": "ordersite_customer_change",
}

MILESTONES = Milestones(
    "orders",
    "Orders by what they reached",
    "orders",
    {
        "placed": OrderCreatedV1,
        "confirmed": OrderConfirmedV1,
        "rejected": OrderRejectedV1,
        "cancelled": OrderCancelledV1,
        "fulfilled": OrderFulfilledV1,
    },
)
