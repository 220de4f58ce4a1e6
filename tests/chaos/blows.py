"""What befalls the system in a storm. Each blow is a context manager: it lasts for as long as its block."""

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from random import Random

import psutil
import redis

from tests.faults.system import FaultySystem

WORKERS = ["inventory", "orders", "notifications", "analytics"]
LISTS = [*WORKERS, "reports", "maintenance", "faults"]
FAILPOINTS = [
    "publish.uncommitted",
    "answer.committed",
    "relay.claimed",
    "relay.sent",
    "applied inventory.reserve_items",
    "committed inventory.reserve_items",
    "applied orders.confirm",
    "committed orders.confirm",
    "applied analytics.track_order",
    "applied notifications.send_order_received",
]
GARBAGE = [b"\xff\xfe", b"not json", b"[1, 2]", b'{"body": "half an envelope"}', b"\x80\x04\x95pickle."]

Blow = Callable[[FaultySystem, Random], AbstractContextManager[None]]


@dataclass(frozen=True)
class Kind:
    """A kind of blow. `longest`: seconds that it lasts at most; two on one `target` never overlap."""

    name: str
    target: str
    blow: Blow
    longest: float = 0.0


def killing(*names: str) -> Blow:
    """Kill one of these processes, with all that it started."""

    @contextmanager
    def blow(system: FaultySystem, random: Random) -> Iterator[None]:
        system.supervisor.processes[random.choice(names)].kill()
        yield

    return blow


def freezing(*names: str) -> Blow:
    """Freeze one of these processes, with all that it started, and thaw what is left of it."""

    @contextmanager
    def blow(system: FaultySystem, random: Random) -> Iterator[None]:
        with frozen(system.supervisor.pid(random.choice(names))):
            yield

    return blow


@contextmanager
def frozen(group: int | None) -> Iterator[None]:
    """Freeze this process group; None is a process between two lives, which cannot be frozen."""
    signal_group(group, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_group(group, signal.SIGCONT)


def signal_group(group: int | None, number: signal.Signals) -> None:
    """Send a signal to a process group that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        if group:
            os.killpg(group, number)


@contextmanager
def pool_process_killed(system: FaultySystem, random: Random) -> Iterator[None]:
    """Kill a pool process of a worker, not its main process."""
    pid = system.supervisor.pid(f"worker-{random.choice(WORKERS)}")
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        children = psutil.Process(pid).children(recursive=True)
        if children:
            os.kill(random.choice(children).pid, signal.SIGKILL)
    yield


@contextmanager
def failpoint(system: FaultySystem, random: Random) -> Iterator[None]:
    """Have the next process that passes some point of the flow killed there."""
    system.arm(random.choice(FAILPOINTS))
    yield


@contextmanager
def broker_killed(system: FaultySystem, random: Random) -> Iterator[None]:
    """Kill the broker; it is started again, empty."""
    system.broker.kill()
    yield


@contextmanager
def broker_stopped(system: FaultySystem, random: Random) -> Iterator[None]:
    """Have no broker."""
    system.broker.stop()
    try:
        yield
    finally:
        system.broker.start()


@contextmanager
def broker_frozen(system: FaultySystem, random: Random) -> Iterator[None]:
    """Have a broker that takes connections and never answers."""
    with frozen(system.broker.pid):
        yield


@contextmanager
def broker_wiped(system: FaultySystem, random: Random) -> Iterator[None]:
    """Empty the broker."""
    with contextlib.suppress(redis.RedisError), broker(system) as client:
        client.flushall()
    yield


@contextmanager
def garbage(system: FaultySystem, random: Random) -> Iterator[None]:
    """Put something into each of the broker's lists that is no message."""
    with contextlib.suppress(redis.RedisError), broker(system) as client:
        for name in LISTS:
            client.lpush(name, random.choice(GARBAGE))
    yield


@contextmanager
def messages_doubled(system: FaultySystem, random: Random) -> Iterator[None]:
    """Send every message that is out once more."""
    out = system.sql("SELECT handler, id::text, token::text, queue FROM events_delivery WHERE state = 'leased'")
    with contextlib.suppress(OSError, redis.RedisError), system.celery() as celery:
        celery.conf.broker_transport_options = {"socket_timeout": 1, "socket_connect_timeout": 1}
        for handler, delivery_id, token, queue in out:
            celery.send_task(
                handler, [delivery_id, token], task_id=str(uuid.uuid4()), queue=queue, retry_policy={"max_retries": 0}
            )
    yield


@contextmanager
def postgres_killed(system: FaultySystem, random: Random) -> Iterator[None]:
    """Kill PostgreSQL and all its processes; it is started again and recovers."""
    system.servers.postgres.kill()
    yield


@contextmanager
def postgres_stopped(system: FaultySystem, random: Random) -> Iterator[None]:
    """Have no database."""
    system.servers.postgres.stop()
    try:
        yield
    finally:
        system.servers.postgres.start()


@contextmanager
def mail_refused(system: FaultySystem, random: Random) -> Iterator[None]:
    """Have a mail server that takes nothing now."""
    with system.mail_answering("451 4.3.2 come back later"):
        yield


@contextmanager
def stock_locked(system: FaultySystem, random: Random) -> Iterator[None]:
    """Have somebody hold a row that reservations need."""
    skus = system.sql("SELECT sku FROM inventory_product WHERE sku LIKE 'FAULT-%%' ORDER BY sku")
    with contextlib.suppress(Exception), system.locked(random.choice(skus)[0]):
        yield


@contextmanager
def more_relays(system: FaultySystem, random: Random) -> Iterator[None]:
    """Have four relays more."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(system.one_more("relay"))
        yield


def broker(system: FaultySystem) -> "redis.Redis":
    """Return a client that gives up soon."""
    return redis.Redis.from_url(
        system.environment["BROKER_URL"], socket_timeout=1, socket_connect_timeout=1, retry=None
    )


KINDS = [
    Kind("web killed", "web", killing("web")),
    Kind("web frozen", "web", freezing("web"), 6),
    Kind("relay killed", "relay", killing("relay")),
    Kind("relay frozen", "relay", freezing("relay"), 12),
    Kind("worker killed", "worker", killing(*(f"worker-{name}" for name in WORKERS))),
    Kind("worker frozen", "worker", freezing(*(f"worker-{name}" for name in WORKERS)), 12),
    Kind("pool process killed", "pool", pool_process_killed),
    Kind("killed at a failpoint", "failpoint", failpoint),
    Kind("beat, Flower or gRPC killed", "other", killing("beat", "flower", "grpc")),
    Kind("broker killed", "broker", broker_killed),
    Kind("broker stopped", "broker", broker_stopped, 20),
    Kind("broker frozen", "broker", broker_frozen, 20),
    Kind("broker wiped", "wipe", broker_wiped),
    Kind("garbage in the broker", "garbage", garbage),
    Kind("messages doubled", "copies", messages_doubled),
    Kind("PostgreSQL killed", "postgres", postgres_killed),
    Kind("PostgreSQL stopped", "postgres", postgres_stopped, 6),
    Kind("mail refused", "mail", mail_refused, 12),
    Kind("stock row locked", "lock", stock_locked, 4),
    Kind("five relays", "relays", more_relays, 20),
]
