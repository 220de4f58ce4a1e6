"""An event type has got a second version beside the first, as docs/changing-an-event.md tells."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from events.backfill import backfill
from events.errors import PermanentError
from events.letters import dead_letters
from events.models import Delivery
from events.tests import two_versions
from events.tests.helpers import break_down, handler, make_due, only, published, run, subscriptions_of
from events.tests.parcels import ParcelPackedV1, parcel_packed
from events.tests.two_versions import ADDED, SORT, ParcelPackedV2

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def next_release() -> Iterator[Callable[[], None]]:
    """A switch to the release that knows both versions."""
    two_versions.seen.clear()
    with ExitStack() as stack:
        yield lambda: stack.enter_context(subscriptions_of(two_versions.__name__))


def second(first: ParcelPackedV1) -> ParcelPackedV2:
    return two_versions.as_v2(first)


def test_one_handler_reads_both_versions_each_once_and_in_order(next_release: Callable[[], None]) -> None:
    data = parcel_packed()
    published(data)  # by a process of the release before
    next_release()
    published(second(data))
    for _ in range(2):
        run(SORT)
    assert two_versions.seen == [("parcel.packed.v1", second(data)), ("parcel.packed.v2", second(data))]
    assert set(Delivery.objects.filter(handler=SORT.name).values_list("state", flat=True)) == {"done"}


def test_a_dead_letter_of_the_old_version_is_replayed_by_the_new_code(next_release: Callable[[], None]) -> None:
    data = parcel_packed()
    published(data)
    with pytest.raises(PermanentError):
        run(handler(break_down))
    next_release()
    letter = only(handler=SORT.name)
    dead_letters.replay(letter.id, by="test")
    run(SORT)
    assert two_versions.seen == [("parcel.packed.v1", second(data))]


def test_an_edit_of_an_old_dead_letter_must_fit_its_own_version(next_release: Callable[[], None]) -> None:
    published(parcel_packed())
    with pytest.raises(PermanentError):
        run(handler(break_down))
    next_release()
    letter = only(handler=SORT.name)
    with pytest.raises(dead_letters.InvalidInput):
        dead_letters.replay(letter.id, by="test", data=second(parcel_packed()).model_dump(mode="json"))
    dead_letters.replay(letter.id, by="test", data=parcel_packed(letter.subject).model_dump(mode="json"))
    run(SORT)
    assert [kind for kind, _ in two_versions.seen] == ["parcel.packed.v1"]


def test_the_old_version_holds_back_the_new_one_of_its_subject(next_release: Callable[[], None]) -> None:
    data = parcel_packed()
    published(data)
    with pytest.raises(PermanentError):
        run(handler(break_down))
    next_release()
    published(second(data))
    make_due(handler=SORT.name)
    assert only(handler=SORT.name, event_type="parcel.packed.v2").due_at is None
    dead_letters.replay(only(handler=SORT.name, state="dead").id, by="test")
    for _ in range(2):
        run(SORT)
    assert [kind for kind, _ in two_versions.seen] == ["parcel.packed.v1", "parcel.packed.v2"]


def test_a_new_handler_gets_the_past_of_both_versions(next_release: Callable[[], None]) -> None:
    old = [parcel_packed(uuid4()) for _ in range(2)]
    published(*old)
    next_release()
    new = second(parcel_packed())
    published(new)
    Delivery.objects.filter(handler=ADDED.name).delete()
    assert sum(step.made for step in backfill(ADDED.name)) == 3
    assert sum(step.made for step in backfill(ADDED.name)) == 0
    Delivery.objects.exclude(handler=ADDED.name).delete()  # what else waits in that queue
    for _ in range(3):
        run(ADDED)
    assert sorted(kind for kind, _ in two_versions.seen) == ["parcel.packed.v1"] * 2 + ["parcel.packed.v2"]
