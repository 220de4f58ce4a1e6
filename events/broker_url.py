"""What a broker's URL says, as Celery's settings. It loads neither Django nor Celery: health checks use it too."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from kombu.utils.url import parse_url

REDIS = ("redis", "rediss", "sentinel")  # a Valkey speaks as Redis does
RABBITMQ = ("amqp", "amqps")
SCHEMES = (*REDIS, *RABBITMQ)
QUEUE_TYPES = ("classic", "quorum")
SENTINEL_PORT = 26379  # kombu would take Redis's
# One try, of a second to connect and one for the answer. By default redis-py asks a silent one ten times, for 15 s.
SENTINEL_OPTIONS = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": None}
PARAMETERS = {
    "redis": (),
    "rediss": ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"),
    "sentinel": ("master_name", "sentinel_username", "sentinel_password"),
    "amqp": ("queue_type",),
    "amqps": ("queue_type", "ssl_ca_certs"),
}
"""What may stand behind the question mark."""


@dataclass(frozen=True)
class BrokerSettings:
    """Celery's broker_url, broker_use_ssl and broker_transport_options; RabbitMQ's type of queues; the passwords."""

    url: str
    tls: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    queue_type: str = "classic"
    passwords: Sequence[str | None] = ()


def read_broker_url(url: str, schemes: Sequence[str] = SCHEMES) -> BrokerSettings:
    """Return what to connect with.

    Raises ValueError where the URL is not understood. Its text goes on from the name of the setting, and never holds
    what may be part of a password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in schemes:
        known = ", ".join(f"{name}://" for name in schemes)
        raise ValueError(f"is to begin with one of {known}; docs/brokers.md says what follows")
    address, _, query = url.partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    _refuse_unknown(scheme, parameters)
    if scheme == "sentinel":
        return _read_sentinel(address, parameters)
    passwords = [_parts(one)["password"] for one in address.split(";")]
    if scheme in REDIS:
        tls = {"ssl_cert_reqs": "required"} | _parts(url).get("ssl", {}) if scheme == "rediss" else {}
        return BrokerSettings(url, tls, passwords=passwords)
    queue_type = parameters.get("queue_type", "classic")
    if queue_type not in QUEUE_TYPES:
        raise ValueError(f"has queue_type={queue_type}, which is none of {', '.join(QUEUE_TYPES)}")
    if scheme == "amqp":
        return BrokerSettings(address, queue_type=queue_type, passwords=passwords)
    if len(passwords) > 1:  # kombu would check the second certificate against the first one's name
        raise ValueError("names several addresses, and amqps:// may have one: that of a proxy in front of them")
    # server_hostname: None has kombu take the URL's, so that the certificate's name is checked.
    tls = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None, "ca_certs": parameters.get("ssl_ca_certs")}
    return BrokerSettings(address, tls, queue_type=queue_type, passwords=passwords)


def _refuse_unknown(scheme: str, parameters: dict[str, str]) -> None:
    known = PARAMETERS[scheme]
    if unknown := parameters.keys() - set(known):
        may = f"only {', '.join(known)} may" if known else "nothing may"
        raise ValueError(f"has {', '.join(sorted(unknown))} behind its question mark, where {may} stand")


def _parts(url: str) -> dict[str, Any]:
    try:
        parts: dict[str, Any] = parse_url(url)
    except (ValueError, KeyError):  # whose text would hold what stands where a port should, or a value
        raise ValueError("cannot be read: percent-encode what a URL cannot hold (docs/brokers.md)") from None
    return parts


def _read_sentinel(address: str, parameters: dict[str, str]) -> BrokerSettings:
    """Read sentinel://user:password@HOST:PORT;HOST/DB?master_name=NAME; user and password are those of Redis."""
    if not (master := parameters.get("master_name")):
        raise ValueError("names no master: add ?master_name=NAME, which the Sentinels know it by")
    login, _, rest = address.removeprefix("sentinel://").rpartition("@")
    hosts, _, database = rest.partition("/")
    if not hosts or "@" in login or "://" in rest:
        raise ValueError("is to be like sentinel://:PASSWORD@HOST;HOST;HOST/0?master_name=NAME, the password once")
    before = f"{login}@" if login else ""
    parts = [_parts(f"sentinel://{before}{host}/{database}") for host in hosts.split(";")]
    addresses = [f"{one['hostname']}:{one['port'] or SENTINEL_PORT}" for one in parts]
    sentinels: dict[str, Any] = dict(SENTINEL_OPTIONS)
    sentinels |= {name: value for name in ("username", "password") if (value := parameters.get(f"sentinel_{name}"))}
    return BrokerSettings(
        ";".join(f"sentinel://{before}{one}/{database}" for one in addresses),
        options={"master_name": master, "sentinel_kwargs": sentinels},
        passwords=(parts[0]["password"], sentinels.get("password")),
    )
