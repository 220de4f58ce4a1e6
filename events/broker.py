"""The broker, for what the site itself asks of it. Celery has connections of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from amqp.basic_message import Message
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerError

from events.broker_url import REDIS
from events.conf import celery
from events.errors import in_one_line

PROBE = "ratelimit:probe"  # a key under a prefix that docs/redis.md allows to the broker's user


def is_redis(url: str) -> bool:
    return url.partition("://")[0] in REDIS


def open_connection(app: Celery, seconds: float) -> Connection:
    """Return a connection that is open and gives up after so many seconds, to connect and for each answer.

    What is published by it has reached the broker, or fails. With Celery's defaults a publish to a frozen Redis hangs
    for over 40 s. Raises BrokerError, OSError.
    """
    connection: Any = app.connection_for_write(transport_options=_timeouts(seconds), heartbeat=0)
    with broker_errors(connection):
        connection.ensure_connection(max_retries=1, timeout=1, interval_start=0)
    if connection.transport.driver_type == "amqp":
        # py-amqp's own read_timeout does not end what comes slowly, and bounds no wait that is given one of its own.
        connection.connection.transport.sock.settimeout(seconds)
    return connection  # type: ignore[no-any-return]  # kombu's types know nothing of a transport's own


def _timeouts(seconds: float) -> dict[str, Any]:
    of_redis = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "socket_keepalive": True}
    return of_redis | {"health_check_interval": 10, "connect_timeout": seconds, "confirm_publish": True}


@contextmanager
def broker_errors(connection: Any) -> Iterator[None]:
    """Raise a transport's own errors as BrokerError, as kombu does by itself with some of them."""
    kinds = connection.connection_errors + connection.recoverable_connection_errors + connection.channel_errors
    try:
        yield
    except KeyError:  # which kombu counts among Redis's
        raise
    except kinds as error:
        if isinstance(error, BrokerError):
            raise
        raise BrokerError(str(error) or type(error).__name__) from error


def redis_client(url: str, tls: Mapping[str, Any], options: Mapping[str, Any], seconds: float) -> redis.Redis:
    """Return a client that gives up after so many seconds, to connect and for each answer, and never tries again.

    Nothing is sent before its first command. Of sentinel:// each Sentinel is asked for the master then, in the order of
    the URL, until one knows.
    """
    once: dict[str, Any] = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": None}
    if not url.startswith("sentinel://"):
        # What stands behind the question mark is kombu's, and so in `tls`.
        return redis.Redis.from_url(url.partition("?")[0], **once, **tls)
    addresses = [Connection(one) for one in url.split(";")]
    sentinel: Any = redis.Sentinel(  # type: ignore[no-untyped-call]
        [(one.hostname, one.port) for one in addresses],
        sentinel_kwargs=options["sentinel_kwargs"] | once,
        username=addresses[0].userid,
        password=addresses[0].password,
        db=int(addresses[0].virtual_host or 0),
        **once,
    )
    return sentinel.master_for(options["master_name"])  # type: ignore[no-any-return]


def connect(seconds: float) -> redis.Redis:
    """Return a client of the broker, where that is a Redis; time-outs as redis_client() has them."""
    conf = celery().conf
    return redis_client(conf.broker_url, conf.broker_use_ssl or {}, conf.broker_transport_options, seconds)


def write(client: redis.Redis) -> None:
    """Write what is forgotten a second later. Raises redis.RedisError, OSError.

    That is what sending a message needs. A replica, a server without memory and one that cannot save to its disk all
    answer PING.
    """
    client.set(PROBE, 1, ex=1)


def refusal(seconds: float) -> str:
    """Return why the broker takes no messages, "" where it does. `seconds`: to connect, and for each answer."""
    try:
        if is_redis(celery().conf.broker_url):
            with connect(seconds) as client:
                write(client)
        else:
            _probe_rabbitmq(seconds)
    except (redis.RedisError, BrokerError, OSError) as error:
        return in_one_line(error)
    return ""


def _probe_rabbitmq(seconds: float) -> None:
    """Have RabbitMQ take two messages that no queue is for. One without memory or disk takes one of each connection."""
    connection: Any = open_connection(celery(), seconds)
    try:
        with broker_errors(connection):
            channel = connection.channel()
            for _ in range(2):
                channel.basic_publish(Message(""), exchange="", routing_key=PROBE)
    finally:
        connection.collect(socket_timeout=0.1)  # close() would wait for an answer for longer
