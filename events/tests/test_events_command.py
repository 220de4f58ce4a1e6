import signal
import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.db import connection, transaction

from events.correlation import correlated
from events.feed import follow
from events.models import Event
from events.publishing import publish
from events.tests.helpers import command, published
from events.tests.parcels import parcel_lost, parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def not_for_ever() -> Iterator[None]:
    """End a test that waits for an event which never comes."""

    def give_up(*_: object) -> None:
        raise AssertionError("nothing came")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def events(*arguments: object) -> str:
    return command("events", *arguments)


def test_the_newest_are_listed_the_oldest_of_them_first() -> None:
    ids = [str(event_id) for _ in range(3) for event_id in published(parcel_packed())]
    assert [line.split()[0] for line in events("list").splitlines()] == ids
    assert [line.split()[0] for line in events("list", "-n", 2).splitlines()] == ids[1:]
    assert events("tail", "-n", 2) == events("list", "-n", 2)


def test_a_list_may_be_of_one_type_one_subject_and_one_request() -> None:
    mine, other = parcel_packed(), parcel_packed()
    with correlated("request-1"):
        (first,) = published(mine)
    (second,) = published(parcel_lost(mine.parcel_id))
    (third,) = published(other)
    for filters, ids in (
        (("--type", "parcel.packed.v1"), {first, third}),
        (("--subject", mine.parcel_id), {first, second}),
        (("--request-id", "request-1"), {first}),
        (("--type", "parcel.packed.v1", "--subject", other.parcel_id), {third}),
    ):
        assert {line.split()[0] for line in events("list", *filters).splitlines()} == set(map(str, ids))
    with pytest.raises(CommandError, match=r"there is no event type parcel\.pakced\.v1"):
        events("list", "--type", "parcel.pakced.v1")


def test_one_is_shown_whole_with_its_deliveries() -> None:
    (event_id,) = published(parcel_packed())
    shown = events("show", event_id)
    assert "type: parcel.packed.v1" in shown
    assert '"number": "P-1"' in shown
    for handler in ("sorting.sort_parcel", "letters.announce", "counting.count"):
        assert f"{handler}  pending  attempts 0" in shown
    with pytest.raises(CommandError, match="there is no event"):
        events("show", uuid4())


def test_who_follows_sees_each_event_once_also_one_that_is_committed_late(not_for_ever: None) -> None:
    published(parcel_packed())
    (last,) = published(parcel_packed())
    feed = follow({}, shown=1, every=0)
    assert next(feed).id == last
    committing, written = threading.Event(), threading.Event()
    late = parcel_packed()

    def commit_late() -> None:
        with transaction.atomic():
            publish(late)
            written.set()
            committing.wait(10)
        connection.close()

    thread = threading.Thread(target=commit_late)
    thread.start()
    assert written.wait(10)
    (soon,) = published(parcel_packed())
    assert next(feed).id == soon
    committing.set()
    thread.join()
    assert next(feed).subject == late.parcel_id
    (after,) = published(parcel_packed())
    assert next(feed).id == after


def test_who_follows_a_subject_sees_its_events_alone(not_for_ever: None) -> None:
    mine = parcel_packed()
    feed = follow({"subject": mine.parcel_id}, shown=5, every=0)
    published(parcel_packed())
    published(mine)
    assert next(feed).subject == mine.parcel_id
    published(parcel_packed(), parcel_lost(mine.parcel_id))
    assert next(feed).type == "parcel.lost.v1"
    assert Event.objects.count() == 4
