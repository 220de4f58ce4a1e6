"""G1 to G5: what must hold after every fault."""

from collections.abc import Iterable
from typing import Any

from tests.faults.system import LONGEST_BACKOFF, FaultySystem
from tests.journeys import books
from tests.journeys.system import LEASE

RESTART = 12  # seconds until a process that was killed works again on a busy machine: up to 10 s of back-off, and start
RECOVERY = LEASE + LONGEST_BACKOFF + 5 + RESTART

# An order line reserved more than once, or an event counted or mailed more than once.
DOUBLED = {
    "reservations": "SELECT order_id, product_id FROM inventory_reservation GROUP BY 1, 2 HAVING count(*) > 1",
    "movements": "SELECT order_id, product_id FROM inventory_movement WHERE kind = 'shipment'"
    " GROUP BY 1, 2 HAVING count(*) > 1",
    "mails": "SELECT event_id, template FROM notifications_notification GROUP BY 1, 2 HAVING count(*) > 1",
    "keys": "SELECT user_id, route, key FROM orders_storedanswer GROUP BY 1, 2, 3 HAVING count(*) > 1",
}
NEGATIVE = "SELECT product_id FROM inventory_stockitem WHERE reserved < 0 OR on_hand < reserved"
HANDLERS_OF_CREATED = 3


def hold(system: FaultySystem, accepted: Iterable[Any] = (), *, dead: Iterable[str] = ()) -> None:
    """Wait until all is final, then check every guarantee.

    `accepted`: the orders that clients were told of; `dead`: the deliveries (ids) that must be dead letters, no others.
    """
    books.settle(system, seconds=RECOVERY)  # G4
    found = {row[0] for row in system.sql("SELECT id::text FROM events_delivery WHERE state = 'dead'")}
    assert found == set(dead)  # G5
    for order in accepted:
        check_exists_once(system, order)  # G1
    for what, doubled in DOUBLED.items():
        assert system.sql(doubled) == [], what  # G3
    assert system.sql(NEGATIVE) == []  # G2
    books.check(system)  # G2, G3


def check_exists_once(system: FaultySystem, order: Any) -> None:
    """The order is there once, under its number, with all deliveries of its creation."""
    rows = system.sql("SELECT id::text FROM orders_order WHERE number = %s", order["number"])
    assert rows == [(order["id"],)]
    created = system.sql(
        "SELECT count(DISTINCT e.id), count(d.id) FROM events_event e JOIN events_delivery d ON d.event_id = e.id"
        " WHERE e.subject = %s AND e.type = 'order.created.v1'",
        order["id"],
    )
    assert created == [(1, HANDLERS_OF_CREATED)], order
