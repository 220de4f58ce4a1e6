"""Five relays at once share the work: none sends what another has sent, and nothing is left lying."""

import base64
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
import redis

from events.tests.waiting import until
from tests.faults import guarantees
from tests.faults.load import Load
from tests.faults.system import FaultySystem
from tests.faults.watching import all_confirmed, catch_up, tries
from tests.journeys.system import LEASE

RATE = 5  # orders a second
ORDERS = 40
MORE = [f"relay-{number}" for number in range(2, 6)]
MESSAGE = re.compile(r'LPUSH \w+ .*"body": "([A-Za-z0-9+/=]+)"')
RELAYS = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ ' relay'"
DELIVERIES = """
SELECT d.id::text FROM events_delivery d JOIN orders_orderline l ON l.order_id = d.subject WHERE l.sku = %s
"""


@contextmanager
def five_relays(system: FaultySystem) -> Iterator[None]:
    """Run four more relays until the block ends."""
    argv = system.supervisor.processes["relay"].command.argv
    try:
        for name in MORE:
            system.supervisor.add(name, argv, system.environment).start()
        until("all of them run", lambda: system.sql(RELAYS)[0][0] > len(MORE), seconds=90)
        yield
    finally:
        for name in MORE:
            system.supervisor.processes.pop(name).stop(5)


class Listener:
    """Notes, while its block runs, each message that reaches the broker: its delivery, when, and who sent it."""

    def __init__(self, broker_url: str) -> None:
        self.sent: dict[str, list[float]] = defaultdict(list)
        self.senders: set[str] = set()
        self._broker = redis.Redis.from_url(broker_url)
        self._thread = threading.Thread(target=self._listen)
        self._ready = threading.Event()

    def __enter__(self) -> "Listener":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._broker.echo("the end")  # it comes after all that was sent before
        self._thread.join()

    def _listen(self) -> None:
        with self._broker.monitor() as monitor:  # type: ignore[no-untyped-call]
            self._ready.set()
            for seen in monitor.listen():
                if seen["command"] == "ECHO the end":
                    return
                if message := MESSAGE.match(seen["command"]):
                    for delivery_id in carried(message[1]):
                        self.sent[delivery_id].append(float(seen["time"]))
                    self.senders.add(f"{seen['client_address']}:{seen['client_port']}")


def carried(body: str) -> list[str]:
    """The ids of the deliveries that a message carries, given its body; none in that of a plain task."""
    arguments, *_ = json.loads(base64.b64decode(body))
    ids = arguments[0] if arguments else []
    return ids if isinstance(ids, list) else [ids]


@pytest.mark.chaos
def test_five_relays_double_nothing_and_starve_nothing(system: FaultySystem) -> None:
    sku = system.product(pieces=5_000)
    with five_relays(system), Listener(system.environment["BROKER_URL"]) as listener:
        with Load(system, RATE, [sku]) as load:
            load.more(ORDERS)
        catch_up(system)
    guarantees.hold(system, load.orders)
    assert all_confirmed(system, sku)
    assert tries(system, sku) == {(1, 0)}
    ids = [row[0] for row in system.sql(DELIVERIES, sku)]
    assert len(ids) == 6 * len(load.orders)
    for delivery_id in ids:
        sent = listener.sent[delivery_id]
        assert sent
        # On a busy machine a lease may run out in the queue: then, and no sooner, it is sent again.
        assert all(later - earlier > LEASE / 2 for earlier, later in pairwise(sent)), sent
    assert len(listener.senders) > 1
