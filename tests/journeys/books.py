"""What must hold after every journey: nothing lost, nothing doubled, nothing oversold."""

from events.tests.waiting import until
from tests.journeys.system import LEASE, System

UNFINISHED = """
SELECT d.handler, d.state, d.attempts, d.error_message FROM events_delivery d
WHERE d.state IN ('leased', 'running') OR (d.state = 'pending' AND NOT EXISTS (
    SELECT 1 FROM events_delivery e WHERE e.subject = d.subject AND e.consumer = d.consumer
    AND e.sequence < d.sequence AND e.state = 'dead' AND e.dead_holds))
"""
SOME = 5  # rows are enough to see that there are some
STOCK = """
SELECT p.sku, s.on_hand, s.reserved FROM inventory_stockitem s JOIN inventory_product p ON p.id = s.product_id
WHERE s.on_hand <> (SELECT coalesce(sum(quantity), 0) FROM inventory_movement m WHERE m.product_id = p.id)
   OR s.reserved <> (SELECT coalesce(sum(quantity), 0) FROM inventory_reservation r
                     WHERE r.product_id = p.id AND r.state = 'active')
"""
RESERVED_FOR_NOTHING = """
SELECT o.number, o.status FROM inventory_reservation r JOIN orders_order o ON o.id = r.order_id
WHERE r.state = 'active' AND o.status <> 'confirmed'
AND NOT EXISTS (SELECT 1 FROM events_delivery d WHERE d.subject = o.id AND d.state NOT IN ('done', 'discarded'))
"""
CONFIRMED_WITHOUT = """
SELECT o.number FROM orders_order o WHERE o.status = 'confirmed'
AND NOT EXISTS (SELECT 1 FROM inventory_reservation r WHERE r.order_id = o.id AND r.state = 'active')
"""
# Each order that reached a status, counted once, against the projections.
SALES = """
SELECT h.to_status, count(*), (SELECT coalesce(sum(orders), 0) FROM analytics_dailysales s WHERE s.status = h.to_status)
FROM orders_statuschange h GROUP BY h.to_status
HAVING count(*) <> (SELECT coalesce(sum(orders), 0) FROM analytics_dailysales s WHERE s.status = h.to_status)
"""
ORDERS_WITHOUT_EVENT = """
SELECT o.number FROM orders_order o WHERE (
    SELECT count(*) FROM events_event e JOIN events_delivery d ON d.event_id = e.id
    WHERE e.subject = o.id AND e.type = 'order.created.v1') <> 3
"""
MAILS = """
SELECT d.handler FROM events_delivery d WHERE d.consumer = 'notifications' AND d.state = 'done'
AND (SELECT count(*) FROM notifications_notification n WHERE n.event_id = d.event_id AND n.state = 'sent') <> 1
"""


def settle(system: System, *, seconds: float = 4 * LEASE + 20) -> None:
    """Wait until every delivery is final, or waits behind a dead letter."""
    try:
        until("all deliveries are final", lambda: not system.sql(f"{UNFINISHED} LIMIT {SOME}"), seconds=seconds)
    except AssertionError as error:
        unfinished = system.sql(UNFINISHED)
        raise AssertionError(f"{error}; unfinished: {len(unfinished)}, such as {unfinished[:SOME]}") from None


def check(system: System) -> None:
    """Hold the books against the ledger, the projections against the history, the mails against the deliveries."""
    for violation in (STOCK, RESERVED_FOR_NOTHING, CONFIRMED_WITHOUT, ORDERS_WITHOUT_EVENT, MAILS):
        assert system.sql(violation) == [], violation
    if not system.sql("SELECT 1 FROM events_delivery WHERE state IN ('dead', 'discarded') AND consumer = 'analytics'"):
        assert system.sql(SALES) == []
