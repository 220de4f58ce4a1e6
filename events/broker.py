"""The broker's Redis or Valkey, for what the site itself asks of it. Celery has connections of its own."""

import redis

from events.conf import celery
from events.errors import in_one_line

PROBE = "ratelimit:probe"  # a key under a prefix that docs/redis.md allows to the broker's user


def connect(timeout: float) -> redis.Redis:
    """Return a client that gives up after `timeout` seconds, to connect and for each answer, and never tries again.

    Nothing is sent before its first command.
    """
    conf = celery().conf
    return redis.Redis.from_url(
        conf.broker_url.partition("?")[0],  # what stands behind is kombu's, and so in the setting below
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=None,
        **(conf.broker_use_ssl or {}),
    )


def write(client: redis.Redis) -> None:
    """Write what is forgotten a second later. Raises redis.RedisError, OSError.

    That is what sending a message needs. A replica, a server without memory and one that cannot save to its disk all
    answer PING.
    """
    client.set(PROBE, 1, ex=1)


def refusal(timeout: float) -> str:
    """Return why the broker takes no messages, "" where it does. `timeout`: seconds to connect, and for each answer."""
    try:
        with connect(timeout) as client:
            write(client)
    except (redis.RedisError, OSError) as error:
        return in_one_line(error)
    return ""
