"""Counters on a Redis, which all web processes share (LIMITS_URL); without it, in this process's memory."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
from django.conf import settings

from events.broker import redis_client, write
from events.broker_url import read_broker_url

logger = logging.getLogger(__name__)

PREFIX = "ratelimit:"  # of all keys; docs/redis.md allows it to the broker's user
TIMEOUT = 0.05  # seconds to connect, and to answer: what the first request of an outage may lose, and no other
PAUSE = 1.0  # seconds between two looks whether the server is back
MOST = 50_000  # counters in memory, about 10 MB


@dataclass(frozen=True)
class Slot:
    """Where something is counted, and for how many seconds yet."""

    key: str
    seconds: float


class LocalCounters:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}

    def add(self, slots: list[Slot]) -> list[int]:
        """Add one to each counter; return them."""
        now = time.monotonic()
        with self._lock:
            if len(self._counts) + len(slots) > MOST:
                self._counts = {key: entry for key, entry in self._counts.items() if entry[1] > now}
                if len(self._counts) > MOST // 2:  # those of past windows were not enough, and memory is bounded
                    self._counts = {}
            for slot in slots:
                count = self._counts.get(slot.key, (0,))[0] + 1
                self._counts[slot.key] = (count, now + slot.seconds)
            return [self._counts[slot.key][0] for slot in slots]

    def read(self, slots: list[Slot]) -> list[int]:
        with self._lock:
            return [self._counts.get(slot.key, (0,))[0] for slot in slots]


def connect(seconds: float) -> redis.Redis:
    """Return a client of LIMITS_URL's Redis that gives up after so many seconds."""
    where = read_broker_url(settings.LIMITS_URL)
    return redis_client(where.url, where.tls, where.options, seconds)


class SharedCounters:
    """Counters on LIMITS_URL's Redis. A failure of it opens a circuit, and a thread looks until it is back.

    Requests never try whether it is: connecting may wait for a name server, which no time-out bounds. Without a
    LIMITS_URL each process counts for itself.
    """

    def __init__(self, make_client: Callable[[float], redis.Redis] = connect) -> None:
        self._make_client = make_client
        self._client: redis.Redis | None = None
        self._local = LocalCounters()
        self._lock = threading.Lock()
        self.away = False  # true while each process counts for itself

    def add(self, slots: list[Slot]) -> list[int]:
        """Add one to each counter; return them."""
        return self._ask(_add, self._local.add, slots)

    def read(self, slots: list[Slot]) -> list[int]:
        return self._ask(_read, self._local.read, slots)

    def _ask(
        self,
        server: Callable[[redis.Redis, list[Slot]], list[int]],
        memory: Callable[[list[Slot]], list[int]],
        slots: list[Slot],
    ) -> list[int]:
        if settings.LIMITS_URL and not self.away:
            client = self._connected()
            try:
                return server(client, slots)
            except (redis.RedisError, OSError) as error:
                self._open(client, error)
        return memory(slots)

    def _connected(self) -> redis.Redis:
        with self._lock:
            if self._client is None:
                self._client = self._make_client(TIMEOUT)
            return self._client

    def _open(self, client: redis.Redis, error: Exception) -> None:
        """Count in memory from now on, and have a thread look until the server is back."""
        with self._lock:
            if self.away:
                return
            self.away = True
        logger.warning("rate limits count per process, since their Redis does not answer: %s", error)
        threading.Thread(target=self._look, args=(client,), name="rate-limits", daemon=True).start()

    def _look(self, client: redis.Redis) -> None:
        while True:
            time.sleep(PAUSE)
            try:
                write(client)
            except (redis.RedisError, OSError):
                continue
            self.away = False
            logger.info("rate limits count across processes again")
            return


def _add(client: redis.Redis, slots: list[Slot]) -> list[int]:
    with client.pipeline(transaction=False) as pipe:
        for slot in slots:
            pipe.incr(slot.key)
            pipe.expire(slot.key, math.ceil(slot.seconds) + 1)
        return [int(answer) for answer in pipe.execute()[::2]]


def _read(client: redis.Redis, slots: list[Slot]) -> list[int]:
    with client.pipeline(transaction=False) as pipe:
        for slot in slots:
            pipe.get(slot.key)
        return [int(answer or 0) for answer in pipe.execute()]


counters = SharedCounters()
