"""An event type has got a second version beside the first, as docs/changing-an-event.md tells."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from events.backfill import backfill
from events.errors import PermanentError
from events.letters import dead_letters
from events.models import Delivery
from events.subscriptions import the_map
from events.tests import two_versions
from events.tests.helpers import break_down, handler, make_due, only, order_created, published, run
from events.tests.two_versions import ADDED, RESERVE, OrderCreatedV2
from eventtypes.orders import OrderCreatedV1

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def next_release(settings: Any) -> Iterator[Any]:
    """A switch to the release that knows both versions."""

    def switch() -> None:
        settings.EVENTS = settings.EVENTS | {"SUBSCRIPTIONS": two_versions.__name__}
        the_map.cache_clear()

    two_versions.seen.clear()
    yield switch
    the_map.cache_clear()


def second(first: OrderCreatedV1) -> OrderCreatedV2:
    return two_versions.as_v2(first)


def test_one_handler_reads_both_versions_each_once_and_in_order(next_release: Any) -> None:
    data = order_created()
    published(data)  # by a process of the release before
    next_release()
    published(second(data))
    for _ in range(2):
        run(RESERVE)
    assert two_versions.seen == [("order.created.v1", second(data)), ("order.created.v2", second(data))]
    assert set(Delivery.objects.filter(handler=RESERVE.name).values_list("state", flat=True)) == {"done"}


def test_a_dead_letter_of_the_old_version_is_replayed_by_the_new_code(next_release: Any) -> None:
    data = order_created()
    published(data)
    with pytest.raises(PermanentError):
        run(handler(break_down))
    next_release()
    letter = only(handler=RESERVE.name)
    dead_letters.replay(letter.id, by="test")
    run(RESERVE)
    assert two_versions.seen == [("order.created.v1", second(data))]


def test_an_edit_of_an_old_dead_letter_must_fit_its_own_version(next_release: Any) -> None:
    published(order_created())
    with pytest.raises(PermanentError):
        run(handler(break_down))
    next_release()
    letter = only(handler=RESERVE.name)
    with pytest.raises(dead_letters.InvalidInput):
        dead_letters.replay(letter.id, by="test", data=second(order_created()).model_dump(mode="json"))
    dead_letters.replay(letter.id, by="test", data=order_created(letter.subject).model_dump(mode="json"))
    run(RESERVE)
    assert [kind for kind, _ in two_versions.seen] == ["order.created.v1"]


def test_the_old_version_holds_back_the_new_one_of_its_subject(next_release: Any) -> None:
    data = order_created()
    published(data)
    with pytest.raises(PermanentError):
        run(handler(break_down))
    next_release()
    published(second(data))
    make_due(handler=RESERVE.name)
    assert only(handler=RESERVE.name, event_type="order.created.v2").due_at is None
    dead_letters.replay(only(handler=RESERVE.name, state="dead").id, by="test")
    for _ in range(2):
        run(RESERVE)
    assert [kind for kind, _ in two_versions.seen] == ["order.created.v1", "order.created.v2"]


def test_a_new_handler_gets_the_past_of_both_versions(next_release: Any) -> None:
    old = [order_created(uuid4()) for _ in range(2)]
    published(*old)
    next_release()
    new = second(order_created())
    published(new)
    Delivery.objects.filter(handler=ADDED.name).delete()
    assert sum(step.made for step in backfill(ADDED.name)) == 3
    assert sum(step.made for step in backfill(ADDED.name)) == 0
    Delivery.objects.exclude(handler=ADDED.name).delete()  # what else waits in that queue
    for _ in range(3):
        run(ADDED, "analytics")
    assert sorted(kind for kind, _ in two_versions.seen) == ["order.created.v1"] * 2 + ["order.created.v2"]
