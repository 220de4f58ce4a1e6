"""The leg of one look-up in four ways: what waiting for an answer costs, by a call, gRPC, REST and a queue."""

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from benchmarks.speed import requests, wire
from benchmarks.speed.figures import Figure, Leg, middle
from benchmarks.speed.rounds import SECONDS, Bench, bearers, good, in_turns
from benchmarks.speed.side import ORDERSITE, Kind, Side, side
from local.settings import free_port

CLIENTS = 8
"""Who ask at once, for the rate; alone, for the time of an answer."""
TOKEN = "only-to-measure"

Asked = tuple[float, float, float]
"""Look-ups a second of all clients; p50 and p99 of one alone, in milliseconds."""


def calls(bench: Bench) -> Leg:
    """The same person looked up by a call in the process, over gRPC, over REST, and by a queue with an answer."""
    with ExitStack() as stack:
        it = stack.enter_context(side(with_grpc(free_port()), bench.place, broker=1))
        it.start()
        user_id, bearer = it.users[0], bearers(it)[0]
        path = f"/api/v1/users/{user_id}"
        ways = {
            "a call in the process": partial(_ask, it, "direct", user_id),
            "gRPC": partial(_ask, it, "grpc", user_id),
            "REST": partial(_rest, it, path, bearer),
            "a queue": partial(_ask, it, "queue", user_id),
        }
        found = in_turns(bench, ways)
    figures: list[Figure] = []
    for at, (what, unit) in enumerate((("look-ups", "/s"), ("answer p50", "ms"), ("answer p99", "ms"))):
        figures += [middle(what, way, [asked[at] for asked in rounds], unit) for way, rounds in found.items()]
    return Leg(figures)


def with_grpc(port: int) -> Kind:
    """Return our site with its web, a gRPC server, and a worker that answers."""
    worker = ["celery", "-q", "-A", "benchmarks.lookups", "worker", "-Q", "lookups", "-c", "2", "-l", "INFO"]
    processes = {
        "web": ORDERSITE.processes["web"],
        "grpc": [sys.executable, "manage.py", "grpc", "--port", str(port)],
        "worker": [sys.executable, "-m", *worker, "--without-gossip", "--without-mingle"],
    }
    more = {"GRPC_SERVICE_TOKENS": TOKEN, "GRPC_TARGET": f"127.0.0.1:{port}"}
    return replace(
        ORDERSITE,
        processes=processes,
        ready={"worker": " ready.", "grpc": "grpc: ready"},
        environment={**ORDERSITE.environment, **more},
    )


def _ask(it: Side, way: str, user_id: str) -> Asked:
    def run(clients: int) -> wire.Run:
        told = json.loads(it.run("benchmarks.lookups", way, user_id, str(clients), str(SECONDS / 2)))
        return wire.Run(told["seconds"], took=told["took"])

    return _both(run(CLIENTS), run(1))


def _rest(it: Side, path: str, bearer: Mapping[str, str]) -> Asked:
    def run(clients: int) -> wire.Run:
        asked = requests.reads(path, bearer)
        return good(wire.closed(it.port, asked, connections=clients, seconds=SECONDS / 2))

    return _both(run(CLIENTS), run(1))


def _both(many: wire.Run, alone: wire.Run) -> Asked:
    return many.rate, alone.percentile(0.5), alone.percentile(0.99)
