"""What several fault tests look at: who is alive, what was counted, how much there is."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tests.faults import guarantees
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.journeys import books

SLOWEST = 2  # deliveries a second that any machine does, however busy
WAITING = re.compile(r"relay +\| (\S+ \S+) WARNING .*; trying again in ([\d.]+) s")


@contextmanager
def no_process_ends(system: FaultySystem) -> Iterator[None]:
    """Fail where any process of the system was started again until the end of the block, by whomever."""
    before = _pids(system)
    yield
    after = _pids(system)
    changed = {name: (pids, after.get(name)) for name, pids in before.items() if after.get(name) != pids}
    assert changed == {}, changed


def _pids(system: FaultySystem) -> Mapping[str, frozenset[int]]:
    """Return the pid of each process of the system; of the web's, those of its children too: they serve."""
    pids = {name: frozenset({process.pid or 0}) for name, process in system.supervisor.processes.items()}
    return pids | {"web": pids["web"] | children(next(iter(pids["web"])))}


def children(parent: int) -> set[int]:
    """Return the pids of the processes that this one has started."""
    return {int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _field(stat, 1) == str(parent)}


def _field(stat: Path, number: int) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[number]
    except OSError:  # it has just ended
        return ""


def catch_up(system: FaultySystem) -> None:
    """Wait until the backlog of a load is worked off, for as long as a slow machine needs for so many deliveries."""
    waiting = len(system.sql(books.UNFINISHED))
    books.settle(system, seconds=guarantees.RECOVERY + waiting / SLOWEST)


def check_refused(load: Load, *, some: bool = True) -> None:
    """Requests that were turned away got a 503 that says when to come again. `some`: there must be such requests."""
    refused = [answered for answered in load.answers if answered.status != 201]
    assert refused or not some
    others = [answered for answered in refused if (answered.status, answered.retry_after) != (503, "5")]
    assert others == [], others


def count_orders(system: FaultySystem, sku: str) -> int:
    """Return the number of orders of a product."""
    return int(system.sql("SELECT count(DISTINCT order_id) FROM orders_orderline WHERE sku = %s", sku)[0][0])


def tries(system: FaultySystem, sku: str) -> set[tuple[int, int]]:
    """Return all pairs of attempts and waits that deliveries of a product's orders have."""
    return set(
        system.sql(
            "SELECT DISTINCT d.attempts, d.waits FROM events_delivery d"
            " JOIN orders_orderline l ON l.order_id = d.subject WHERE l.sku = %s",
            sku,
        )
    )


def all_confirmed(system: FaultySystem, sku: str) -> bool:
    """Tell whether all orders of a product are confirmed."""
    statuses = system.sql(
        "SELECT DISTINCT o.status FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id WHERE l.sku = %s",
        sku,
    )
    return statuses == [("confirmed",)]


def relays_turns(system: FaultySystem, since: datetime) -> list[float]:
    """Return how many seconds the relay took for each turn that failed, from its log since then; the first not."""
    lines = (system.folder / "run.log").read_text().splitlines()
    seen = [WAITING.match(line) for line in lines]
    told = [(datetime.strptime(m[1], "%Y-%m-%d %H:%M:%S,%f"), float(m[2])) for m in seen if m]
    failures = [(at, pause) for at, pause in told if at >= since]
    return [(later - at - timedelta(seconds=pause)).total_seconds() for (at, pause), (later, _) in pairwise(failures)]
