from typing import Any

import pytest

from events.errors import PermanentError
from events.letters.groups import groups
from events.models import Delivery
from events.tests.helpers import ANNOUNCE, SORT, handler, make_due, only, published, run
from events.tests.parcels import a_dead_letter, parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)


def fail_elsewhere(event: Any) -> None:
    raise PermanentError(f"no such day as {event.sequence}")


def test_letters_are_grouped_by_handler_and_by_what_went_wrong(django_assert_num_queries: Any) -> None:
    first, last = a_dead_letter(), a_dead_letter()
    sorting = a_dead_letter(SORT)
    (event_id,) = published(parcel_packed())
    make_due(event_id=event_id)
    with pytest.raises(PermanentError):
        run(handler(fail_elsewhere, name=ANNOUNCE))
    elsewhere = only(event_id=event_id, handler=ANNOUNCE)
    with django_assert_num_queries(1):
        found = groups()
    assert [(g.queue, g.handler, g.count) for g in found[:1]] == [("letters.dlq", ANNOUNCE, 2)]
    assert {(g.handler, g.fingerprint, g.count) for g in found[1:]} == {
        (SORT, only(pk=sorting).fingerprint, 1),
        (ANNOUNCE, elsewhere.fingerprint, 1),
    }
    group = found[0]
    assert (group.oldest, group.newest) == (only(pk=first).handled_at, only(pk=last).handled_at)
    assert (group.example, group.error_type, group.error_message) == (
        last,
        "events.errors.PermanentError",
        "bad data",
    )


def test_what_is_no_longer_dead_is_in_no_group() -> None:
    letter = a_dead_letter()
    Delivery.objects.filter(pk=letter).update(state="discarded", reason="")
    assert groups() == []
