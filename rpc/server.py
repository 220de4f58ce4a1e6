"""The server: its parts, its bounds, and its end. One loop serves all calls; threads ask the database."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from django.db import Error as DatabaseError
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from events.errors import EventsError
from rpc.interceptors import Deadlines, Errors, Telling, Tokens
from rpc.lookups import Lookups
from rpc.loopback import is_loopback
from rpc.services import OrderService, UserService
from rpc.stubs import orders_v1_pb2, orders_v1_pb2_grpc, users_v1_pb2, users_v1_pb2_grpc
from rpc.watches import Watches

logger = logging.getLogger(__name__)

DRAIN = 10.0
"""Seconds that calls under way have to end, once the server is told to."""
CALLS = 200
"""Calls at once beside those that watch: twice as many as look-ups, since some wait for a message, or ask for health.
The rest grpc refuses before any code of ours, so without details, and without being counted."""
HEALTH_EVERY = 5.0
"""Seconds from one look whether the database answers to the next."""
HEALTH_TIMEOUT = 3.0
SERVICES = [
    users_v1_pb2.DESCRIPTOR.services_by_name["UserService"].full_name,
    orders_v1_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name,
]
CHANNEL = {
    "grpc.so_reuseport": 0,  # a port that is taken is an error
    "grpc.max_receive_message_length": 65_536,  # bytes; 500 ids are 19 kB
    "grpc.max_send_message_length": 1_048_576,  # bytes; 500 people are half of it at most
    "grpc.max_metadata_size": 8_192,  # bytes
    "grpc.keepalive_time_ms": 30_000,  # of silence; then the client is asked whether it is there
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.http2.min_ping_interval_without_data_ms": 10_000,  # clients may ask as often
    "grpc.http2.max_ping_strikes": 2,
}


class CannotServe(EventsError):
    """The settings do not allow to serve; the message says which one to mend."""


@dataclass(frozen=True)
class Options:
    """Where and how to serve. Port 0 is a free one; `certificate` and `key` are files, None for no TLS."""

    address: str
    port: int
    tokens: tuple[str, ...]
    certificate: Path | None = None
    key: Path | None = None
    reflection: bool = False
    threads: int = 4
    most_watchers: int = 1_000


async def serve(given: Options, *, started: Callable[[int], object], stopped: asyncio.Event) -> None:
    """Serve until `stopped` is set, then let calls under way end. `started` is told the port. Raises CannotServe."""
    credentials = _credentials(given)
    lookups, watches = Lookups(given.threads), Watches(given.most_watchers)
    health_service = health.aio.HealthServicer()
    server = _server(given, lookups, watches, health_service)
    try:
        port = _listen(server, given, credentials)
        await _look_at_health(health_service, lookups)
        await server.start()
        started(port)
        await _run(stopped.wait(), watches.run(), _keep_health(health_service, lookups))
        await health_service.enter_graceful_shutdown()
        watches.end()
        await server.stop(DRAIN)
    finally:
        for part in (watches, lookups):
            await asyncio.to_thread(part.close)


async def _run(*parts: Coroutine[Any, Any, object]) -> None:
    """Run these until one has ended, and end the others. Raises what one raised: then the process is to begin anew."""
    tasks = [asyncio.create_task(part) for part in parts]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _server(
    given: Options, lookups: Lookups, watches: Watches, health_service: health_pb2_grpc.HealthServicer
) -> grpc.aio.Server:
    server = grpc.aio.server(
        interceptors=[Telling(), Errors(), Tokens(given.tokens), Deadlines()],
        options=list(CHANNEL.items()),
        maximum_concurrent_rpcs=CALLS + given.most_watchers,
    )
    users_v1_pb2_grpc.add_UserServiceServicer_to_server(UserService(lookups), server)
    orders_v1_pb2_grpc.add_OrderServiceServicer_to_server(OrderService(lookups, watches), server)
    health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
    if given.reflection:
        reflection.enable_server_reflection([*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server


def _credentials(given: Options) -> grpc.ServerCredentials | None:
    """Return the credentials of TLS, None without. Raises CannotServe for what would be open to strangers."""
    if not given.tokens:
        raise CannotServe("GRPC_SERVICE_TOKENS is not set: nobody could call.")
    if (given.certificate is None) != (given.key is None):
        raise CannotServe("GRPC_TLS_CERTIFICATE and GRPC_TLS_KEY belong together: set both, or neither.")
    if given.certificate is None or given.key is None:
        if not is_loopback(given.address):
            raise CannotServe(
                f"GRPC_ADDRESS={given.address} is beyond loopback: tokens and addresses of people go over TLS there."
                " Set GRPC_TLS_CERTIFICATE and GRPC_TLS_KEY."
            )
        return None
    try:
        pair = given.key.read_bytes(), given.certificate.read_bytes()
        # grpc would only say that it cannot listen. A key with a password is not taken: nobody is there to type it.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(given.certificate, given.key, password="")
        return grpc.ssl_server_credentials([pair])
    except ssl.SSLError as error:
        told = "GRPC_TLS_CERTIFICATE and GRPC_TLS_KEY are to be PEM files of a certificate and of its own key"
        raise CannotServe(f"{told}, without a password: {error.reason or error}.") from None
    except OSError as error:
        raise CannotServe(f"{error.filename} cannot be read: {error.strerror}.") from None


def _listen(server: grpc.aio.Server, given: Options, credentials: grpc.ServerCredentials | None) -> int:
    host = f"[{given.address}]" if ":" in given.address else given.address
    where = f"{host}:{given.port}"
    try:
        if credentials is None:
            return server.add_insecure_port(where)
        return server.add_secure_port(where, credentials)
    except RuntimeError:
        raise CannotServe(
            f"{where} cannot be had: stop what uses it, or choose another port with GRPC_PORT=..."
        ) from None


async def _keep_health(service: health.aio.HealthServicer, lookups: Lookups) -> None:
    while True:
        await asyncio.sleep(HEALTH_EVERY)
        await _look_at_health(service, lookups)


async def _look_at_health(service: health.aio.HealthServicer, lookups: Lookups) -> None:
    """Have the health service say whether the database answers."""
    status = HealthCheckResponse.SERVING if await _answers(lookups) else HealthCheckResponse.NOT_SERVING
    for name in ("", *SERVICES):
        await service.set(name, status)


async def _answers(lookups: Lookups) -> bool:
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT):  # of a database that is frozen nothing is heard at all
            await lookups.run(HEALTH_TIMEOUT, lambda: None, always=True)  # its transaction asks
    except (DatabaseError, TimeoutError) as error:
        logger.warning("database away: %s", str(error) or f"no answer within {HEALTH_TIMEOUT:g} s")
        return False
    return True
