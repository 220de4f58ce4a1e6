"""The legs of requests: orders that are accepted, with everything at work and with no worker beside, and reads."""

import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.kinds import EVERYTHING, ORDERSITE, PLAIN, PLAIN_VIEW, Kind
from benchmarks.side import SHELF, Side, side
from benchmarks.speed import wire
from benchmarks.speed.figures import Bar, Figure, Leg, middle, ratio
from benchmarks.speed.rounds import CONNECTIONS, SECONDS, Bench, bearers, good, in_turns, people
from benchmarks.speed.work import OURS, Work
from local.postgres import binary

SCRIPT = Path(__file__).parents[1] / "plain" / "order.sql"

Posted = tuple[float, float, float]
"""Orders a second, and p50 and p99 of the answers in milliseconds."""


def posts(bench: Bench) -> Leg:
    """Orders accepted a second while everything works on them, mails sent, beside a plain view that starts no work."""
    with _both(bench, EVERYTHING, PLAIN_VIEW) as (ours, plain):
        ways = {
            "ordersite": partial(_post_and_drain, bench, ours),
            "plain DRF and ORM view": partial(post, plain, "/api/orders/", bearers(plain, "Token")),
        }
        ways["ordersite"]()  # warm
        found = in_turns(bench, ways)
    rates = {name: [posted[0] for posted in rounds] for name, rounds in found.items()}
    share = ratio(rates["ordersite"], rates["plain DRF and ORM view"])
    return Leg(_posted(found), [Bar("orders/s, all at work ÷ a plain view", share, 0.5, 0.8)])


def _post_and_drain(bench: Bench, it: Side) -> Posted:
    work = Work(it)
    posted = post(it, OURS, bearers(it))
    work.drain_placed(bench.say)
    return posted


def _posted(found: Mapping[str, Sequence[Posted]]) -> list[Figure]:
    """Return the figures of orders that were placed, by way."""
    kinds = (("accepted", "orders/s"), ("answer p50", "ms"), ("answer p99", "ms"))
    return [
        middle(what, name, [posted[at] for posted in rounds], unit)
        for at, (what, unit) in enumerate(kinds)
        for name, rounds in found.items()
    ]


def intake(bench: Bench) -> Leg:
    """Orders accepted a second by DRF, by a bare view, by a plain DRF view, and by PostgreSQL alone."""
    with _both(bench, ORDERSITE, PLAIN) as (ours, plain):
        ways = {
            "ordersite": partial(post, ours, OURS, bearers(ours)),
            "bare raw SQL view": partial(post, plain, "/bare/orders", people(plain)),
            "plain DRF and ORM view": partial(post, plain, "/api/orders/", bearers(plain, "Token")),
            "PostgreSQL alone (pgbench)": partial(_pgbench, plain),
        }
        found = in_turns(bench, ways)
    rates = {name: [posted[0] for posted in rounds] for name, rounds in found.items()}
    bare = ratio(rates["ordersite"], rates["bare raw SQL view"])
    return Leg(_posted(found), [Bar("intake (through DRF) ÷ bare raw SQL view", bare, 0.45, 0.6)])


@contextmanager
def _both(bench: Bench, our_kind: Kind, plain_kind: Kind) -> Iterator[tuple[Side, Side]]:
    """Have ours, all of it or its web alone, and the plain web."""
    with side(our_kind, bench.place, broker=1) as ours, side(plain_kind, bench.place, broker=2) as plain:
        ours.start(*(() if our_kind is EVERYTHING else ["web"]))
        plain.start("web")
        yield ours, plain


def post(it: Side, path: str, headers: Sequence[Mapping[str, str]]) -> Posted:
    """Place orders over all connections for a round."""
    orders = wire.orders(path, list(SHELF), headers)
    run = good(wire.closed(it.port, orders, connections=CONNECTIONS, seconds=SECONDS))
    return run.rate, run.percentile(0.5), run.percentile(0.99)


def _pgbench(it: Side) -> Posted:
    """Run the same transaction without any Python."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [binary("pgbench"), "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "2", "-T", f"{SECONDS:g}"]
        argv += ["-l", f"--log-prefix={folder}/log", "-D", f"user={it.users[0]}", "-f", str(SCRIPT), it.database_url]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        lines = [line for log in Path(folder).iterdir() for line in log.read_text().splitlines()]
    tps = re.search(r"tps = ([\d.]+)", text)
    run = wire.Run([int(line.split()[2]) / 1e6 for line in lines])
    return float(tps[1]) if tps else 0.0, run.percentile(0.5), run.percentile(0.99)


def reads(bench: Bench) -> Leg:
    """An order, a page of orders, a page of products, beside a bare view that reads the same."""
    with _both(bench, EVERYTHING, PLAIN) as (ours, plain):
        of_ours = _some_orders(ours, OURS, bearers(ours)[0])
        of_plain = _some_orders(plain, "/bare/orders", people(plain)[0])
        paths = {
            "an order": (f"{OURS}/{of_ours}", f"/bare/orders/{of_plain}"),
            "a page of orders": (OURS, "/bare/orders"),
            "a page of products": ("/api/v1/products", "/bare/products"),
        }
        ways = {}
        for what, (our_path, bare_path) in paths.items():
            ways[f"ordersite: {what}"] = partial(_get, ours, our_path, bearers(ours)[0])
            ways[f"bare view: {what}"] = partial(_get, plain, bare_path, people(plain)[0])
        found = in_turns(bench, ways)
    figures = []
    for name, rates in found.items():
        who, what = name.split(": ")
        figures.append(middle(what, who, rates, "requests/s"))
    bars = [
        Bar(f"{what} ÷ a bare view", ratio(found[f"ordersite: {what}"], found[f"bare view: {what}"]), 0.4, 0.6)
        for what in paths
    ]
    return Leg(figures, bars)


def _some_orders(it: Side, path: str, headers: Mapping[str, str]) -> str:
    """Place orders for a second; return the id of one of them."""
    orders = wire.orders(path, list(SHELF), [headers])
    good(wire.closed(it.port, orders, connections=1, seconds=1))
    return str(it.sql("SELECT id FROM orders_order LIMIT 1")[0][0])


def _get(it: Side, path: str, headers: Mapping[str, str]) -> float:
    reads = itertools.repeat(wire.request("GET", path, headers))
    return good(wire.closed(it.port, reads, connections=CONNECTIONS, seconds=SECONDS / 2)).rate
