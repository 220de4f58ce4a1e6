"""Watches an order over gRPC until it is final, however often it is cut off.

GRPC_TOKEN=... python -m examples.watch_order ORDER_ID
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterator

import grpc

from rpc.stubs.orders_v1_pb2 import Order, OrderStatus, WatchOrderRequest
from rpc.stubs.orders_v1_pb2_grpc import OrderServiceStub
from rpc.stubs.users_v1_pb2 import GetUserRequest
from rpc.stubs.users_v1_pb2_grpc import UserServiceStub

LOOK_UP, WATCH = 5, 300  # seconds: deadlines
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds
# A stream that was cut off is not gRPC's to repeat: only we know what we have seen. Look-ups it repeats itself.
AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,  # by a server that ends
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": "ordersite.users.v1.UserService"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.2s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ]
}
OPTIONS = {"grpc.service_config": json.dumps(RETRIES), "grpc.max_reconnect_backoff_ms": 2_000}


class Watcher:
    """The two services, called with a token."""

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._orders, self._users = OrderServiceStub(channel), UserServiceStub(channel)
        self._bearer = (("authorization", f"Bearer {token}"),)

    def name_of(self, user_id: str) -> str:
        """Return how a person is called."""
        return self._users.GetUser(GetUserRequest(user_id=user_id), timeout=LOOK_UP, metadata=self._bearer).full_name

    def watch(self, order_id: str) -> Iterator[Order]:
        """Yield the order in each status, once. Raises grpc.RpcError for a refusal."""
        seen, pause = OrderStatus.ORDER_STATUS_UNSPECIFIED, FIRST_PAUSE
        while True:
            try:
                request = WatchOrderRequest(order_id=order_id)
                for order in self._orders.WatchOrder(request, timeout=WATCH, metadata=self._bearer):
                    pause = FIRST_PAUSE
                    if order.status != seen:  # whoever comes back is told the present state first
                        seen = order.status
                        yield order
                return
            except grpc.RpcError as error:
                if error.code() not in AGAIN:
                    raise
                seconds = random.uniform(pause / 2, pause)
                print(f"{in_words(error)}; again in {seconds:.1f} s")
                time.sleep(seconds)
                pause = min(pause * 2, LONGEST_PAUSE)


def in_words(error: grpc.RpcError) -> str:
    """Return why a call failed."""
    return f"{error.code().name}: {error.details()}"


def main(order_id: str) -> None:
    """Tell each step of an order."""
    target = os.environ.get("GRPC_TARGET", "127.0.0.1:50051")
    with grpc.insecure_channel(target, list(OPTIONS.items())) as channel:  # beyond loopback: grpc.secure_channel
        watcher = Watcher(channel, os.environ["GRPC_TOKEN"])
        for order in watcher.watch(order_id):
            status = OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_").lower()
            print(f"{order.number} of {watcher.name_of(order.user_id)} is {status}", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as refusal:
        sys.exit(in_words(refusal))
