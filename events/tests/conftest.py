from collections.abc import Iterator

import pytest
import redis

from events.tests import parcels
from events.tests.helpers import subscriptions_of
from events.tests.servers import broker_url


@pytest.fixture(autouse=True)
def map_of_parcels() -> Iterator[None]:
    """The bus knows no shop, and neither do its tests: for them its map is that of parcels.py."""
    with subscriptions_of(parcels.__name__):
        yield


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """The real broker, in a database of its own number, empty before and after."""
    client = redis.Redis.from_url(broker_url())
    client.flushdb()
    yield client
    client.flushdb()
    client.close()
