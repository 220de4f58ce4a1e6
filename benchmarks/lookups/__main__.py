"""python -m benchmarks.lookups WAY USER_ID CLIENTS SECONDS: looks the person up that way, by so many threads.

Each asks again when it has its answer. Prints the seconds of every look-up as JSON. (REST: speed/wire.py.)
"""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import django

LookUp = Callable[[], str]
"""Returns the person's e-mail address."""

LOOK = 0.005
"""Seconds from one look for an answer of the queue to the next; Celery's own second is far too long for a caller."""
WARM = 20
"""Look-ups of each thread that are not counted: connections, and statements that are not prepared yet."""


def direct(user_id: str) -> LookUp:
    """Call the selector in this process."""
    django.setup()
    from django.db import transaction

    from users.selectors import find_users

    def look_up() -> str:
        with transaction.atomic():  # as over gRPC, so that what is compared is the way alone
            return str(find_users([UUID(user_id)])[UUID(user_id)].email)

    return look_up


def over_grpc(user_id: str) -> LookUp:
    """Call the server at GRPC_TARGET over one channel."""
    import grpc

    from rpc.stubs.users_v1_pb2 import GetUserRequest
    from rpc.stubs.users_v1_pb2_grpc import UserServiceStub

    stub = UserServiceStub(grpc.insecure_channel(os.environ["GRPC_TARGET"]))
    bearer = (("authorization", f"Bearer {os.environ['GRPC_SERVICE_TOKENS']}"),)
    request = GetUserRequest(user_id=user_id)
    return lambda: stub.GetUser(request, timeout=5, metadata=bearer).email


def by_queue(user_id: str) -> LookUp:
    """Send a task, and wait for its answer."""
    from benchmarks.lookups.celery import name_and_address

    return lambda: str(name_and_address.delay(user_id).get(timeout=30, interval=LOOK)["email"])


WAYS: dict[str, Callable[[str], LookUp]] = {"direct": direct, "grpc": over_grpc, "queue": by_queue}


def main(way: str, user_id: str, clients: int, seconds: float) -> dict[str, object]:
    """Return the seconds of every look-up, and how long all took."""
    look_up = WAYS[way](user_id)
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(lambda _: [look_up() for _ in range(WARM)], range(clients)))
        start = time.perf_counter()
        rounds = list(threads.map(lambda _: _ask(look_up, until=start + seconds), range(clients)))
    return {"seconds": [took for one in rounds for took in one], "took": time.perf_counter() - start}


def _ask(look_up: LookUp, *, until: float) -> list[float]:
    found = []
    while (began := time.perf_counter()) < until:
        assert "@" in look_up()
        found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    told = main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    print(json.dumps(told), flush=True)
    os._exit(0)  # connections of threads are not worth a warning each
