from collections.abc import Iterator
from typing import Any

import pytest

from rpc.tests.serving import Client, Lock, Running, client_of, emptied, serving
from testing.api import make_user
from users.models import User


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[Running]:
    """Our server for all tests of a module, which may name its options: OPTIONS."""
    with emptied(django_db_blocker), serving(**getattr(request.module, "OPTIONS", {})) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[Client]:
    with client_of(server.port) as client:
        yield client


@pytest.fixture(scope="module")
def ada(server: Running) -> User:
    """A customer whom the server sees."""
    return make_user("ada")


@pytest.fixture
def locked_users() -> Iterator[Lock]:
    """While this holds, nobody can read the table of users."""
    lock = Lock()
    yield lock
    lock.release()
