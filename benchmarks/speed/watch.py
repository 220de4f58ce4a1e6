"""Customers who place an order and look at it until it is confirmed: what they see of its way through the system."""

import json
import threading
import time

from benchmarks.side import SHELF, Side
from benchmarks.speed import wire
from benchmarks.speed.rounds import bearers, good
from benchmarks.speed.wire import Connection, Run
from benchmarks.speed.work import OURS
from local.errors import LocalError

CUSTOMERS = 8
"""Each waits for one order at a time: so few must see theirs through in time, or the next is placed late."""

PAUSE = 0.01
"""Seconds from an answer that says `pending` to the next question."""

PATIENCE = 30.0
"""Seconds after which an order that is still pending is a failure."""


def watched(it: Side, *, rate: float, seconds: float) -> Run:
    """Place so many orders a second for so long; return how long each took from when it was due until its customer saw
    it confirmed. Raises LocalError where one was refused, or not confirmed in time.
    """
    run, errors = Run(took=seconds), list[Exception]()
    orders = wire.orders(OURS, list(SHELF), bearers(it))
    start, lock = time.perf_counter(), threading.Lock()
    due = (start + number / rate for number in range(int(rate * seconds)))

    def next_order() -> tuple[float, bytes] | None:
        with lock:
            return next(zip(due, orders, strict=False), None)

    def customer() -> None:
        try:
            connection = Connection(it.port)
            while found := next_order():
                time.sleep(max(0.0, found[0] - time.perf_counter()))
                _see_through(connection, found[1])
                run.seconds.append(time.perf_counter() - found[0])
            connection.socket.close()
        except (LocalError, OSError) as error:
            errors.append(error)

    threads = [threading.Thread(target=customer) for _ in range(CUSTOMERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise LocalError(f"a customer's order went wrong: {errors[0]}")
    return good(run)


def _see_through(connection: Connection, order: bytes) -> None:
    """Place the order, and ask for it until it is confirmed."""
    status = connection.ask(order)
    if status != 201:
        raise LocalError(f"an order was answered with {status}")
    path = f"{OURS}/{json.loads(connection.body)['id']}"
    token = next(line for line in order.split(b"\r\n") if line.startswith(b"Authorization: ")).decode()
    question = wire.request("GET", path, {"Authorization": token.partition(": ")[2]})
    deadline = time.monotonic() + PATIENCE
    while _status(connection, question) != "confirmed":
        if time.monotonic() > deadline:
            raise LocalError(f"the order was not confirmed within {PATIENCE:g} s")
        time.sleep(PAUSE)


def _status(connection: Connection, question: bytes) -> str:
    if (status := connection.ask(question)) != 200:
        raise LocalError(f"the question for an order was answered with {status}")
    return str(json.loads(connection.body)["status"])
