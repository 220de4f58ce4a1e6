"""Reads variables of the environment. What is missing or cannot be meant ends the process, and says what to do."""

import sys
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import environ

from analytics.storage_url import read_storage_url
from events.broker_url import SCHEMES, BrokerSettings, read_broker_url
from rpc.loopback import is_loopback

env = environ.FileAwareEnv()

# Beat sends tasks by their names, and Flower shows them: neither has any. Without Django's apps they take half the
# memory, and start in a third of the time. A command of Django's in their container has them.
HAS_APPS = env.str("PROCESS_KIND", default="") not in ("beat", "flower") or Path(sys.argv[0]).name == "manage.py"


def secret(name: str) -> str:
    """Return it as it is written: to env.str() a leading $ would name another variable."""
    try:
        return str(env.ENVIRON.get(name, "")).strip()
    except OSError as error:
        raise SystemExit(f"ordersite: {name}_FILE={error.filename} cannot be read: {error.strerror}.") from None


def required(name: str, example: str) -> str:
    value = secret(name)
    if not value:
        raise SystemExit(
            f"ordersite: {name} is not set. Set it (for example {name}={example}), or use `make run`, which"
            " brings its own servers (and DEBUG=1 to join them by hand)."
        )
    return value


def refuse_weak(key: str) -> None:
    """End the process where the key can be guessed: whoever has it signs cookies as anybody (as security.W009)."""
    if len(key) < 50 or len(set(key)) < 5 or key.startswith("django-insecure-"):
        raise SystemExit(
            "ordersite: SECRET_KEY is too weak: it needs 50 random characters or more. Make one with"
            " `python3 -c 'import secrets; print(secrets.token_urlsafe(50))'`."
        )


def secrets(name: str) -> tuple[str, ...]:
    return tuple(text.strip() for text in secret(name).split(",") if text.strip())


def file(name: str) -> Path | None:
    text = env.str(name, default="")
    return Path(text) if text else None


def choice(name: str, of: Sequence[str], *, default: str) -> str:
    value = env.str(name, default="") or default
    if value not in of:
        raise SystemExit(f"ordersite: {name}={value} is none of {', '.join(of)}.")
    return value


def percent(name: str, *, default: int) -> int:
    value: int = env.int(name, default=default)
    if not 1 <= value <= 100:
        raise SystemExit(f"ordersite: {name}={value} is not within 1 and 100.")
    return value


def broker(name: str, url: str, schemes: Sequence[str] = SCHEMES) -> BrokerSettings:
    """Return what to connect with. Ends the process where the URL is not understood."""
    try:
        return read_broker_url(url, schemes)
    except ValueError as error:
        raise SystemExit(f"ordersite: {name} {error}.") from None


def report_storage(name: str, *, folder: Path) -> dict[str, Any]:
    """Return the storage that a URL names, as STORAGES has it; without one, the folder. Exits if it is not valid."""
    url = secret(name)
    if not url:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": folder}}
    try:
        return read_storage_url(url)
    except ValueError as error:
        raise SystemExit(f"ordersite: {name} {error}.") from None


def service(name: str, *, authorities: Path | None) -> str:
    """Return a gRPC service's host:port. Ends the process where it would be asked in clear beyond loopback."""
    target: str = env.str(name, default="")
    if target and authorities is None and not is_loopback(target.rpartition(":")[0]):
        raise SystemExit(
            f"ordersite: {name}={target} is beyond loopback: tokens and addresses of people go over TLS there."
            f" Set {name.removesuffix('TARGET')}CA to a file with the certificates to believe."
        )
    return target


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text.strip(), strict=False) for text in env.list(name, default=[]) if text.strip()]
    except ValueError as error:
        raise SystemExit(f"ordersite: {name} is to be addresses or networks, such as 10.0.0.0/8: {error}.") from None
