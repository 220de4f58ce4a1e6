"""Clients at addresses of their own, and limits that are soon reached."""

import random
from collections.abc import Callable, Iterator

from rest_framework.test import APIClient

from testing.api import client_of
from users.models import User

HOUR = 3_600  # seconds: no window ends while a test runs, hardly ever
PATIENCE = 5.0  # seconds for the server to answer on a busy machine, where a test is about what it counts

Limits = Callable[..., None]


def somewhere() -> str:
    """An address that no other test counts."""
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


def networks() -> Iterator[str]:
    """Addresses in one network of 48 bits that no other test counts, each in another of 64."""
    site = f"2001:db8:{random.randrange(1 << 16):x}"
    return (f"{site}:{number:x}::1" for number in range(1 << 16))


def client_at(address: str, user: User | None = None, **headers: str) -> APIClient:
    """A client at this address."""
    client = client_of(user)
    client.defaults |= {"REMOTE_ADDR": address, **headers}
    return client
