"""Which map the bus reads, and that tests put back what they found."""

import pytest

from events.subscriptions import the_map
from events.tests import parcels, two_versions
from events.tests.helpers import stumble, subscriptions_of


def test_the_map_is_that_of_the_parcels() -> None:
    assert the_map().subscriptions is parcels.SUBSCRIPTIONS
    assert the_map().subject_pages == {}
    assert the_map().milestones.types == {}


def test_another_map_holds_until_its_block_ends_however_it_ends() -> None:
    with subscriptions_of(two_versions.__name__):
        assert the_map().subscriptions is two_versions.SUBSCRIPTIONS
        assert the_map().compensations == {}
    assert the_map().subscriptions is parcels.SUBSCRIPTIONS
    with pytest.raises(ValueError, match="no luck"), subscriptions_of(two_versions.__name__):
        stumble(the_map())
    assert the_map().subscriptions is parcels.SUBSCRIPTIONS
