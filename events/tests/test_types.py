from uuid import UUID, uuid4

import pytest

from events.models import Event
from events.tests.helpers import published
from events.tests.parcels import ParcelPackedV1
from events.types import EventData, TypeTaken, UnknownType, event_type, register


class Forgotten(EventData):
    """A type that nobody registered."""

    type = "test.forgotten.v1"
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


def test_a_second_type_of_one_name_is_refused_and_the_first_stays() -> None:
    class ParcelPackedAgain(ParcelPackedV1):
        type = "parcel.packed.v1"

    with pytest.raises(TypeTaken, match=r"parcel\.packed\.v1"):
        register(ParcelPackedAgain)
    assert event_type("parcel.packed.v1") is ParcelPackedV1


@pytest.mark.django_db
def test_an_event_that_no_worker_could_read_is_not_published() -> None:
    with pytest.raises(UnknownType, match=r"test\.forgotten\.v1"):
        published(Forgotten(id=uuid4()))
    assert not Event.objects.exists()
