"""A gRPC server in the test's own process, on the test's database, its clients, and a look-up that waits."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Queue
from typing import Any, TypeVar, cast

import grpc
from django.db import connection
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status

from rpc.server import Options, serve
from rpc.stubs.orders_v1_pb2_grpc import OrderServiceStub
from rpc.stubs.users_v1_pb2_grpc import UserServiceStub

T = TypeVar("T")

TOKEN = "a-token-of-the-tests"
DEADLINE = 10  # seconds
BEARER = (("authorization", f"Bearer {TOKEN}"),)
WITH_ALL: dict[str, Any] = {"timeout": DEADLINE, "metadata": BEARER}

Health: Any = HealthStub  # its types lack the methods, which its maker adds


class Client:
    """Stubs on one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.users = UserServiceStub(channel)
        self.orders = OrderServiceStub(channel)


class Running:
    """A server that runs, and can be stopped."""

    def __init__(self, options: Options) -> None:
        self._told: Queue[int | BaseException] = Queue()
        self._thread = threading.Thread(target=self._run, args=(options,))
        self._thread.start()
        told = self._told.get(timeout=DEADLINE)
        if isinstance(told, BaseException):
            self._thread.join()
            raise told
        self.port = told

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
        if not self._told.empty():
            raise AssertionError from cast(BaseException, self._told.get())

    def _run(self, options: Options) -> None:
        try:
            asyncio.run(self._serve(options))
        except BaseException as error:  # noqa: BLE001 - the test gets it
            self._told.put(error)

    async def _serve(self, options: Options) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        await serve(options, started=self._told.put, stopped=self._stopped)


def options(**more: Any) -> Options:
    usual: dict[str, Any] = {"address": "127.0.0.1", "port": 0, "tokens": ("another-token", TOKEN)}
    return Options(**(usual | more))


def committed(work: Callable[[], T]) -> T:
    """Do this on a connection of its own, so that the server sees it: what a test itself writes is never committed."""

    def work_and_close() -> T:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work_and_close).result()


def _rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")
        return bool(cursor.fetchone())


@contextmanager
def emptied(blocker: Any) -> Iterator[None]:
    """Let a module's fixtures write what stays for all its tests, and is gone afterwards."""
    with blocker.unblock():
        empty = [table for table in connection.introspection.table_names() if not _rows(table)]
        yield
        with connection.cursor() as cursor:  # no flush: what migrations have put there is for the tests that come
            cursor.execute(f"TRUNCATE {', '.join(map(connection.ops.quote_name, empty))}")


@contextmanager
def serving(**more: Any) -> Iterator[Running]:
    """Run a server until the block ends."""
    server = Running(options(**more))
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def client_of(port: int) -> Iterator[Client]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Client(channel)


def details(error: Any) -> dict[type[Message], Any]:
    """The rich details of an error, by their types."""
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.message == error.details()
    found = {}
    for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
        for packed in status.details:
            if packed.Is(kind.DESCRIPTOR):
                found[kind] = detail = kind()
                packed.Unpack(detail)
    return found


def code(error: Any) -> tuple[grpc.StatusCode, str]:
    """The status of an error, and its code as the API writes it."""
    info = details(error)[error_details_pb2.ErrorInfo]
    assert info.domain == "ordersite"
    assert info.reason == info.metadata["code"].upper()
    assert info.metadata["request_id"]
    return error.code(), info.metadata["code"]


class Lock:
    """The table of users, locked until release()."""

    def __init__(self) -> None:
        self._holding, self._release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        assert self._holding.wait(5)

    def release(self) -> None:
        """Let everybody read it again."""
        self._release.set()
        self._thread.join()

    def _hold(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; LOCK users_user")
            self._holding.set()
            self._release.wait(20)
            cursor.execute("ROLLBACK")
        connection.close()


def queries(state: str = "active") -> list[tuple[Any, ...]]:
    """Our queries that look for people, in other connections than this."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE state = %s AND pid <> pg_backend_pid() AND query ~ 'users_user'",
            [state],
        )
        return list(cursor.fetchall())


def end_sessions(which: str = "") -> None:
    """End sessions of this database but our own, and wait for that."""
    others = f"FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() {which}"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")
