"""The three scenarios, and how one is run."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.apps import App
from benchmarks.books import Books, Figures, Waiting, clients, lost_parked_doubled, read
from benchmarks.load import HEAD_START, Answer, Shop, percentile, send
from benchmarks.side import Place, Side, side
from local.log import Log
from local.servers import Servers

CALM = 3.0
"""Seconds without a change after which all is done, where nothing is missing: a second mail would have come."""

STANDSTILL = 40.0
"""Seconds without a change after which no more is expected: longer than ordersite's lease of 30 s, and a sweep."""

LONGEST = 240.0
"""Seconds after the load at most."""

KILLS, BETWEEN_KILLS = 5, 12.5
"""How often all workers are killed, and how many seconds apart: longer than the supervisor's CALM, so that each time
they are started again at once. What a worker holds when it is killed is chance; of five kills something can be read."""

LOOK = 0.5
"""Seconds between two looks at the books."""

ENOUGH = {f"TEA-{number}": 1_000 for number in range(20)}
"""Products with enough of each, but for a rush."""


@dataclass(frozen=True)
class Scenario:
    """`fault` happens `fault_at` seconds after the first order, and lasts as long as the call."""

    name: str
    title: str
    orders: int
    rate: float | None
    pieces: dict[str, int]
    fault_at: float = 0.0
    fault: Callable[[Side, Servers], None] | None = None
    buyers: int = 20


def broker_away(it: Side, servers: Servers) -> None:
    servers.valkey.stop()
    time.sleep(20)
    servers.valkey.start()


def workers_killed(it: Side, servers: Servers) -> None:
    """Kill every worker with its pool (-9), again and again."""
    for kill in range(KILLS):
        time.sleep(BETWEEN_KILLS if kill else 0)
        for name, process in it.supervisor.processes.items():
            if name.startswith("worker"):
                process.kill()


def rush(buyers: int, pieces: int) -> Scenario:
    """Return a scenario in which all want the same at the same moment."""
    return Scenario("rush", f"{buyers} buyers, {pieces} pieces", buyers, None, {"RARE": pieces}, buyers=buyers)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("broker", "broker away for 20 s", 1_000, 40, ENOUGH, 2.5, broker_away),
        Scenario("worker", "workers killed five times", 2_500, 40, ENOUGH, 6.25, workers_killed),
        rush(100, 20),
    )
}


def run(app: App, scenario: Scenario, servers: Servers, folder: Path, log: Log, say: Callable[[str], None]) -> Figures:
    """Run one scenario on one app, from an empty database, and return what the database says afterwards."""
    say("starting")
    place = Place(servers.database_url, servers.broker_url, folder, log)
    with side(
        app.kind,
        place,
        broker=app.broker,
        database=f"compare-{app.kind.name}",
        pieces=scenario.pieces,
        buyers=scenario.buyers,
    ) as it:
        it.start()
        shop = Shop(it.port, app.path, [f"{app.scheme} {token}" for token in it.tokens])
        say(f"{scenario.orders:,} orders")
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(send, shop, list(scenario.pieces), scenario.orders, scenario.rate)
            away = cause(scenario, it, servers, say)
            answers = load.result()
        say(f"{sum(answer.accepted for answer in answers):,} accepted; waiting until it is quiet")
        books, last = quiet(app, it)
        return figures(app, it, scenario, answers, books, away, last)


def cause(scenario: Scenario, it: Side, servers: Servers, say: Callable[[str], None]) -> tuple[float, float]:
    """Have the fault happen, and return from when to when."""
    time.sleep(HEAD_START + scenario.fault_at)
    start = time.monotonic()
    if scenario.fault:
        say(f"now: {scenario.title}")
        scenario.fault(it, servers)
    return start, time.monotonic()


def quiet(app: App, it: Side) -> tuple[Books, float]:
    """Wait until nothing changes any more; return the books, and after how many seconds they were so."""
    start = changed = time.monotonic()
    books = read(it.database_url, app.queries)
    while (now := time.monotonic()) - changed < (CALM if books.complete else STANDSTILL) and now - start < LONGEST:
        time.sleep(LOOK)
        before, books = books, read(it.database_url, app.queries)
        if books != before:
            changed = time.monotonic()
    return books, changed - start


def figures(
    app: App,
    it: Side,
    scenario: Scenario,
    answers: list[Answer],
    books: Books,
    away: tuple[float, float],
    last: float,
) -> Figures:
    """Put together what the clients, the database and the supervisor say."""
    told, errors, unseen = clients(answers, books)
    waiting = Waiting() if books.complete else app.waiting(it.database_url, it.broker_url)
    lost, parked, doubled = lost_parked_doubled(told, books, waiting)
    during = [answer for answer in answers if away[0] <= answer.due <= away[1]]
    return Figures(
        accepted=len(told),
        errors=errors,
        unseen=unseen,
        lost=lost,
        parked=parked,
        doubled=doubled,
        exits=it.exits,
        p50=percentile(during, 0.5) * 1_000,
        p99=percentile(during, 0.99) * 1_000,
        last=last,
        sold=books.sold,
        stock_off=sum(scenario.pieces.values()) - books.available - books.sold,
    )
