"""What the books say after a storm, held against what the customers were told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.storm import Storm
from tests.faults import guarantees
from tests.faults.system import FaultySystem
from tests.journeys import books

SOLD = """
SELECT p.sku, coalesce(sum(r.quantity) FILTER (WHERE r.state IN ('active', 'shipped')), 0)::int
FROM inventory_product p LEFT JOIN inventory_reservation r ON r.product_id = p.id
WHERE p.sku = ANY(%s) GROUP BY p.sku
"""
UNDECIDED = "SELECT count(*) FROM orders_order WHERE status = 'pending'"


@dataclass
class Verdict:
    """Lost, doubled, oversold: numbers that must be 0. `violations`: what else does not hold, in words."""

    lost: int = 0
    doubled: int = 0
    oversold: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.doubled or self.oversold or self.violations)


def judge(storm: Storm) -> Verdict:
    """Wait until all is final, and count what went wrong."""
    system = storm.system
    verdict = Verdict()
    _check(verdict, "G4", lambda: books.settle(system, seconds=guarantees.RECOVERY))
    _check(verdict, "G2, G3", lambda: books.check(system))
    _check(verdict, "G5", lambda: _no_dead_letters(system))
    verdict.lost = lost(system, storm.load.orders)
    verdict.doubled = doubled(system, storm.load.orders)
    verdict.oversold = oversold(system, storm.stock)
    verdict.violations += [f"no blow: {s.planned.kind.name}: {s.failed}" for s in storm.struck if s.failed]
    verdict.violations += [f"not recovered: {s.planned}" for s in storm.struck if not s.recovered]
    return verdict


def lost(system: FaultySystem, accepted: list[Any]) -> int:
    """Count the accepted orders that are not there, are not decided, or miss a delivery."""
    ids = [order["id"] for order in accepted]
    whole = system.sql(
        "SELECT count(*) FROM orders_order o WHERE o.id = ANY(%s::uuid[]) AND o.status <> 'pending' AND"
        " (SELECT count(*) FROM events_event e JOIN events_delivery d ON d.event_id = e.id"
        "  WHERE e.subject = o.id AND e.type = 'order.created.v1') = %s",
        ids,
        guarantees.HANDLERS_OF_CREATED,
    )
    return len(set(ids)) - int(whole[0][0])


def doubled(system: FaultySystem, accepted: list[Any]) -> int:
    """Count the orders that nobody was told of (a second one for a key), and every effect that is there twice."""
    ids = [order["id"] for order in accepted]
    first = min(ids)  # version 7: in the order of their making
    more = system.sql("SELECT count(*) FROM orders_order WHERE id >= %s AND id <> ALL(%s::uuid[])", first, ids)
    return int(more[0][0]) + sum(len(system.sql(query)) for query in guarantees.DOUBLED.values())


def oversold(system: FaultySystem, stock: dict[str, int]) -> int:
    """Count the pieces that were promised and never there."""
    return sum(max(0, sold - stock[sku]) for sku, sold in system.sql(SOLD, list(stock)))


def _no_dead_letters(system: FaultySystem) -> None:
    dead = system.sql("SELECT handler, reason, error_message FROM events_delivery WHERE state = 'dead'")
    assert dead == [], dead


def _check(verdict: Verdict, name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except AssertionError as error:
        verdict.violations.append(f"{name}: {error}")
