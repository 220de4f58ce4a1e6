"""A read replica: which reads go there, and whether it is close enough behind the primary to take them.

Pages that list and count many rows may be some seconds late. After a change, a person's pages come from the primary
until the replica has it, so nobody misses what they have just done.
"""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from events.errors import sqlstate
from events.sql import alias, reading_from

logger = logging.getLogger(__name__)

REPLICA = "replica"  # of DATABASES
LOOK = 1.0  # seconds between two looks at how far it is behind
WAIT = 0.1  # seconds for which such a look waits for it to catch up
AWAY = 10.0  # seconds for which one that failed is left alone: a connection to a silent machine takes 3 s to fail
POLL = 0.02  # seconds between two questions while it is waited for
UNKNOWN = float("inf")
PAGES = re.compile(r"/admin/(\w+/\w+/(export(-excel)?\.csv)?|sales/data|operations/data)")
"""Lists, their exports, and the figures of the pages of sales and operations."""
COOKIE = "changed"  # who has it has changed something a moment ago
# A session that ends, and a permission that is taken away, are gone at once.
NEVER_LATE = {"auth", "contenttypes", "knox", "sessions", "users"}
TOO_LONG = ("57014", "55P03")  # of a statement that was given up: the primary would take as long

T = TypeVar("T")


class Router:
    """Sends reads where reading_from() says, and writes to the primary (DATABASE_ROUTERS)."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS if model._meta.app_label in NEVER_LATE else alias()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True  # they are the same rows

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS


class Lag:
    """How far the replica is behind. A process looks once a second at most, and only while it is asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0  # when to look again, by the monotonic clock, as all moments here
        self._has = -UNKNOWN  # up to which moment the replica has all that was committed
        self._notes: deque[tuple[float, int]] = deque(maxlen=120)  # moments, and how far the primary's log was then

    def seconds(self) -> float:
        """Return for how many seconds it is behind, at most; infinity where that is not known, or it is away.

        It raises nothing: where the primary does not answer either, that is for the page to find out.
        """
        if time.monotonic() >= self._next and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return time.monotonic() - self._has

    def is_left_alone(self) -> bool:
        return self._has == -UNKNOWN and time.monotonic() < self._next

    def leave_alone(self, why: object) -> None:
        """Read nothing from the replica for a while: it has failed."""
        logger.warning("the replica is not read from for %.0f s: %s", AWAY, why)
        self._has, self._next = -UNKNOWN, time.monotonic() + AWAY

    def _look(self) -> None:
        now = time.monotonic()
        try:
            place = _written()
            self._notes.append((now, place.bytes))
            reached = _wait_for(place, WAIT)
        except DatabaseError as error:
            connections[REPLICA].close()
            self.leave_alone(error)
            return
        self._next = now + LOOK
        self._has = max([moment for moment, place in self._notes if place <= reached], default=-UNKNOWN)


_lag = Lag()


def seconds_behind() -> float:
    return _lag.seconds()


def is_configured() -> bool:
    return REPLICA in connections.settings


def may_be_read() -> bool:
    """Tell whether there is a replica, and it is behind by no more than REPLICA_MOST_BEHIND."""
    return is_configured() and seconds_behind() <= settings.REPLICA_MOST_BEHIND


def source_of_now() -> str:
    """Return the alias of the replica once it has all that is committed now; where it is too late, of the primary.

    It is waited for as long as a page would let it be behind.
    """
    if not is_configured() or _lag.is_left_alone():
        return DEFAULT_DB_ALIAS
    try:
        place = _written()
        return REPLICA if _wait_for(place, settings.REPLICA_MOST_BEHIND) >= place.bytes else DEFAULT_DB_ALIAS
    except DatabaseError as error:
        _lag.leave_alone(error)
        return DEFAULT_DB_ALIAS


def each_from(database: str, items: Iterable[T]) -> Iterator[T]:
    """Yield the items, which an iterator reads from this database meanwhile.

    Where the replica fails, what it raises goes on, and it is left alone: what has begun cannot change over.
    """
    iterator = iter(items)
    while True:
        with reading_from(database):
            try:
                item = next(iterator)
            except StopIteration:
                return
            except DatabaseError as error:
                if database == REPLICA:
                    _lag.leave_alone(error)
                raise
        yield item


class ReplicaMiddleware:
    """Has the pages above read the replica. Where it fails meanwhile, they are made again from the primary."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        if not is_configured():
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            return self._note_change(request)
        if not PAGES.fullmatch(request.path) or COOKIE in request.COOKIES or not may_be_read():
            return self._primary(request)
        replica: Any = connections[REPLICA]
        replica.failed = None
        with reading_from(REPLICA):
            response: Any = self._get_response(request)
        if response.status_code >= 500 and replica.failed and sqlstate(replica.failed) not in TOO_LONG:
            response.close()
            _lag.leave_alone(replica.failed)
            return self._primary(request)
        if response.streaming:
            response.streaming_content = each_from(REPLICA, response.streaming_content)
        response["X-Read-From"] = REPLICA
        return response  # type: ignore[no-any-return]

    def _primary(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)  # type: ignore[no-any-return]

    def _note_change(self, request: HttpRequest) -> HttpResponseBase:
        response = self._primary(request)
        if request.path.startswith("/admin/"):
            seconds = settings.REPLICA_MOST_BEHIND
            secure = settings.SESSION_COOKIE_SECURE
            response.set_cookie(COOKIE, "1", max_age=seconds, secure=secure, httponly=True, samesite="Lax")
        return response


@dataclass(frozen=True)
class _Place:
    """How far a database's log goes, in bytes, and whose log it is."""

    bytes: int
    database: str
    cluster: int


def _written() -> _Place:
    """Return how far the primary's log is on its disk: all that is committed is in it.

    Raises DatabaseError, also where `default` is no primary just now.
    """
    return _ask(DEFAULT_DB_ALIAS, "pg_current_wal_flush_lsn()")


def _wait_for(place: _Place, seconds: float) -> int:
    """Return how far the replica is, in bytes: at once where it is there, else after so many seconds.

    Raises DatabaseError.
    """
    until = time.monotonic() + seconds
    while True:
        # At nothing where it is no replica (any more): what was promoted goes its own way.
        reached = _ask(REPLICA, "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE '0/0' END")
        if (reached.database, reached.cluster) != (place.database, place.cluster):
            raise DatabaseError("DATABASE_REPLICA_URL leads to a database that is no replica of DATABASE_URL's")
        if reached.bytes >= place.bytes or time.monotonic() > until:
            return reached.bytes
        time.sleep(POLL)


def _ask(database: str, position: str) -> _Place:
    with connections[database].cursor() as cursor:
        cursor.execute(_PLACE.format(position=position))
        return _Place(*cursor.fetchone())


_PLACE = """
SELECT pg_wal_lsn_diff({position}, '0/0')::bigint, current_database()::text, system_identifier FROM pg_control_system()
"""
