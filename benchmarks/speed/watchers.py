"""The leg of calls that watch an order: what many of them cost one server, and how soon each is told."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

import grpc

from benchmarks.speed import requests, wire
from benchmarks.speed.calls import TOKEN, with_grpc
from benchmarks.speed.figures import Figure, Leg
from benchmarks.speed.loads import OURS
from benchmarks.speed.proc import megabytes, milliseconds
from benchmarks.speed.rounds import CONNECTIONS, Bench, bearers, good
from benchmarks.speed.side import SHELF, Side, side
from benchmarks.speed.wire import Run
from local.errors import LocalError
from local.settings import free_port
from rpc.stubs.orders_v1_pb2 import Order, WatchOrderRequest
from rpc.stubs.orders_v1_pb2_grpc import OrderServiceStub

NUMBERS = (0, 100, 1_000)
AT_REST = 10.0
"""Seconds for which nothing happens, and processor time is counted."""
DEADLINE = 300.0

CONFIRM = """
WITH moved AS (
    UPDATE orders_order SET status = 'confirmed', updated_at = now() WHERE id = ANY(%(ids)s) RETURNING id
)
INSERT INTO orders_statuschange (id, order_id, from_status, to_status, reason, at)
SELECT gen_random_uuid(), id, 'pending', 'confirmed', '', now() FROM moved
"""


def watchers(bench: Bench) -> Leg:
    """What it costs one gRPC server that many watch an order each, and how soon all are told that theirs moved on."""
    port = free_port()
    figures: list[Figure] = []
    with side(with_grpc(port), bench.place, broker=1) as it:
        it.start("web", "grpc")
        ids = _orders(it, sum(NUMBERS))
        for number in NUMBERS:
            bench.say(f"{number:,} watch")
            watched, ids = ids[:number], ids[number:]
            figures += asyncio.run(_watched(bench, it, port, watched))
    return Leg(figures)


def _orders(it: Side, number: int) -> Sequence[UUID]:
    """Place orders until there are so many; return their ids."""
    found: list[UUID] = []
    while len(found) < number:
        orders = requests.orders(OURS, list(SHELF), bearers(it))
        good(wire.closed(it.port, orders, connections=CONNECTIONS, seconds=5))
        found = [row[0] for row in it.sql("SELECT id FROM orders_order ORDER BY id")]
    return found


async def _watched(bench: Bench, it: Side, port: int, ids: Sequence[UUID]) -> list[Figure]:
    """Watch these, count what that costs at rest, then have all of them move on at once."""
    who = f"{len(ids):,} watch"
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) for _ in "1234"]
    stubs = [OrderServiceStub(channel) for channel in channels]
    bearer = (("authorization", f"Bearer {TOKEN}"),)
    calls = [
        stubs[at % len(stubs)].WatchOrder(WatchOrderRequest(order_id=str(id_)), timeout=DEADLINE, metadata=bearer)
        for at, id_ in enumerate(ids)
    ]
    for call in calls:
        await call.read()  # the present state
    before = _used(bench, it)
    await asyncio.sleep(AT_REST)
    after = _used(bench, it)
    figures = [Figure(f"{name}, a second", who, (after[name] - before[name]) / AT_REST, "ms") for name in after]
    figures.append(Figure("server's memory", who, megabytes(_pid(it)), "MB"))
    if calls:
        told = [asyncio.create_task(_when_told(call)) for call in calls]
        await asyncio.sleep(0)
        await asyncio.to_thread(it.sql, CONFIRM, {"ids": list(ids)})
        committed = time.perf_counter()
        run = Run([moment - committed for moment in await asyncio.gather(*told)])
        figures += [Figure(f"committed → told p{share}", who, run.percentile(share / 100), "ms") for share in (50, 99)]
    for channel in channels:
        await channel.close()
    return figures


async def _when_told(call: "grpc.aio.UnaryStreamCall[WatchOrderRequest, Order]") -> float:
    await call.read()
    return time.perf_counter()


def _used(bench: Bench, it: Side) -> dict[str, float]:
    """Return the processor time that the server has used, and PostgreSQL where it is ours, in milliseconds."""
    pids = {"server's CPU": _pid(it)}
    if bench.servers is not None and bench.servers.postgres.pid:
        pids["PostgreSQL's CPU"] = bench.servers.postgres.pid
    return {name: milliseconds(pid) for name, pid in pids.items()}


def _pid(it: Side) -> int:
    pid = it.supervisor.pid("grpc")
    if pid is None:
        raise LocalError("the gRPC server has ended")
    return pid
