import signal
import threading
from collections.abc import Iterator
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from events.correlation import correlated
from events.feed import follow
from events.models import Event
from events.publishing import publish
from events.tests.helpers import order_cancelled, order_created, published

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
    out = StringIO()
    call_command("events", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_newest_are_listed_the_oldest_of_them_first() -> None:
    ids = [str(event_id) for _ in range(3) for event_id in published(order_created())]
    assert [line.split()[0] for line in events("list").splitlines()] == ids
    assert [line.split()[0] for line in events("list", "-n", 2).splitlines()] == ids[1:]
    assert events("tail", "-n", 2) == events("list", "-n", 2)


def test_a_list_may_be_of_one_type_one_subject_and_one_request() -> None:
    mine, other = order_created(), order_created()
    with correlated("request-1"):
        (first,) = published(mine)
    (second,) = published(order_cancelled(mine.order_id))
    (third,) = published(other)
    for filters, ids in (
        (("--type", "order.created.v1"), {first, third}),
        (("--subject", mine.order_id), {first, second}),
        (("--request-id", "request-1"), {first}),
        (("--type", "order.created.v1", "--subject", other.order_id), {third}),
    ):
        assert {line.split()[0] for line in events("list", *filters).splitlines()} == set(map(str, ids))
    with pytest.raises(CommandError, match=r"there is no event type order\.creatd\.v1"):
        events("list", "--type", "order.creatd.v1")


def test_one_is_shown_whole_with_its_deliveries() -> None:
    (event_id,) = published(order_created())
    shown = events("show", event_id)
    assert "type: order.created.v1" in shown
    assert '"number": "O-1"' in shown
    for handler in ("inventory.reserve_items", "notifications.send_order_received", "analytics.track_order"):
        assert f"{handler}  pending  attempts 0" in shown
    with pytest.raises(CommandError, match="there is no event"):
        events("show", uuid4())


def test_who_follows_sees_each_event_once_also_one_that_is_committed_late(not_for_ever: None) -> None:
    published(order_created())
    (last,) = published(order_created())
    feed = follow({}, shown=1, every=0)
    assert next(feed).id == last
    committing, written = threading.Event(), threading.Event()
    late = order_created()

    def commit_late() -> None:
        with transaction.atomic():
            publish(late)
            written.set()
            committing.wait(10)
        connection.close()

    thread = threading.Thread(target=commit_late)
    thread.start()
    assert written.wait(10)
    (soon,) = published(order_created())
    assert next(feed).id == soon
    committing.set()
    thread.join()
    assert next(feed).subject == late.order_id
    (after,) = published(order_created())
    assert next(feed).id == after


def test_who_follows_a_subject_sees_its_events_alone(not_for_ever: None) -> None:
    mine = order_created()
    feed = follow({"subject": mine.order_id}, shown=5, every=0)
    published(order_created())
    published(mine)
    assert next(feed).subject == mine.order_id
    published(order_created(), order_cancelled(mine.order_id))
    assert next(feed).type == "order.cancelled.v1"
    assert Event.objects.count() == 4
