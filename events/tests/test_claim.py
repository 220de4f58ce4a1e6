import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection, transaction
from django.db.models.functions import Now

from events.errors import DependencyAway
from events.models import Delivery, Event
from events.relaying import claims
from events.relaying.batching import messages
from events.relaying.claims import DueQueue, Gap, claim, unclaim
from events.tests.helpers import SORT, due_since, handler, make_due, nothing, only, published, run, start_one
from events.tests.parcels import parcel_lost, parcel_packed
from events.tests.servers import at_once

pytestmark = pytest.mark.django_db(transaction=True)
either_end = pytest.mark.parametrize("newest", [False, True])
# Of the newest, all that is due lies after the gap, or all before it.
either_side = pytest.mark.parametrize(
    "gap", [Gap(), Gap(datetime(2100, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC))]
)


def handlers_claimed(queue: str, size: int = 100, *, newest: bool = False) -> list[str]:
    found = claim(queue, size, newest=newest)
    return sorted(d.handler for d in found.deliveries) if found else []


def test_a_claim_leases_what_is_due_and_counts_no_attempt() -> None:
    published(parcel_packed())
    assert handlers_claimed("sorting") == ["sorting.sort_parcel"]
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts) == ("leased", 0)
    assert delivery.token is not None
    assert delivery.lease_until is not None


def test_what_is_leased_is_not_claimed_again() -> None:
    published(parcel_packed())
    assert handlers_claimed("sorting")
    assert claim("sorting", 100) is None


def test_a_subjects_deliveries_to_one_consumer_are_handed_out_one_at_a_time() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id))
    published(parcel_lost(parcel_id))
    assert handlers_claimed("sorting") == ["sorting.sort_parcel"]
    assert handlers_claimed("sorting") == []
    Delivery.objects.filter(consumer="sorting", state="leased").update(state="pending", token=None, lease_until=None)
    run(handler(nothing))
    assert handlers_claimed("sorting") == ["sorting.take_out"]


def test_another_consumer_and_another_subject_do_not_wait() -> None:
    published(parcel_packed())
    assert handlers_claimed("sorting")
    published(parcel_packed())
    assert handlers_claimed("sorting") == ["sorting.sort_parcel"]
    assert handlers_claimed("counting") == ["counting.count"] * 2


def test_a_claim_takes_the_oldest_or_the_newest() -> None:
    first, second = (published(parcel_packed())[0] for _ in range(2))
    oldest = claim("sorting", 1)
    newest = claim("counting", 1, newest=True)
    assert oldest is not None
    assert newest is not None
    assert only(pk=oldest.deliveries[0].id).event_id == first
    assert only(pk=newest.deliveries[0].id).event_id == second


def test_the_newest_claim_respects_the_order_of_a_subject_too() -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id), parcel_lost(parcel_id))
    newest = claim("sorting", 10, newest=True)
    assert newest is not None
    assert [d.handler for d in newest.deliveries] == ["sorting.sort_parcel"]


def test_the_oldest_is_what_has_been_due_for_longest() -> None:
    published(parcel_packed())
    due_since(60, event_id=published(parcel_packed())[0])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        oldest = claim("sorting", 1)
    assert oldest is not None
    assert only(pk=oldest.deliveries[0].id).event_id == Event.objects.latest("id").id


@either_end
def test_what_is_not_due_yet_is_not_claimed(newest: bool) -> None:
    published(parcel_packed())
    Delivery.objects.update(due_at=Now() + timedelta(seconds=60))
    assert claim("sorting", 1, newest=newest) is None


@either_end
def test_a_claim_sees_what_is_due_from_its_floor_on(newest: bool) -> None:
    published(parcel_packed())
    due = only(handler=SORT).due_at
    assert due is not None
    assert claim("sorting", 1, newest=newest, floor=due + timedelta(microseconds=1)) is None
    assert claim("sorting", 1, newest=newest, floor=due) is not None


def test_below_the_gap_too_a_claim_sees_what_is_due_from_its_floor_on() -> None:
    published(parcel_packed())
    due = only(handler=SORT).due_at
    assert due is not None
    gap = Gap(due, due + timedelta(seconds=60))
    assert claim("sorting", 1, newest=True, gap=gap, floor=due + timedelta(microseconds=1)) is None
    assert claim("sorting", 1, newest=True, gap=gap, floor=due) is not None


@either_side
def test_of_the_newest_a_claim_looks_at_a_few_times_its_size(gap: Gap) -> None:
    parcel_id = uuid4()
    published(parcel_packed(parcel_id))
    for _ in range(claims.NEWEST_WINDOW):
        published(parcel_lost(parcel_id))
    assert claim("sorting", 1, newest=True, gap=gap) is None
    assert claim("sorting", 2, newest=True, gap=gap) is not None


@either_side
@pytest.mark.parametrize(
    "change", [{"due_at": "2150-01-01T00:00:00Z"}, {"state": "leased", "lease_until": "2099-01-01T00:00:00Z"}]
)
def test_what_backs_off_or_is_out_takes_no_place_among_the_newest(gap: Gap, change: dict[str, Any]) -> None:
    due_since(60, event_id=published(parcel_packed())[0])
    others = published(*(parcel_packed() for _ in range(claims.NEWEST_WINDOW)))
    token = uuid4() if "state" in change else None
    Delivery.objects.filter(event_id__in=others).update(token=token, **change)
    assert claim("sorting", 1, newest=True, gap=gap) is not None


@either_end
def test_two_relays_at_once_never_claim_the_same_delivery(newest: bool) -> None:
    for _ in range(40):
        published(parcel_packed())

    def relay(_: int) -> list[object]:
        mine: list[object] = []
        while found := claim("sorting", 3, newest=newest):
            mine += [d.id for d in found.deliveries]
        return mine

    everything = [delivery for mine in at_once(5, relay) for delivery in mine]
    assert len(everything) == len(set(everything)) == 40


@either_end
def test_a_claim_passes_over_rows_that_another_transaction_holds(newest: bool) -> None:
    published(parcel_packed())
    published(parcel_packed())
    done = []

    def other() -> None:
        done.append(handlers_claimed("sorting", newest=newest))
        connection.close()

    with transaction.atomic():
        first = Delivery.objects.select_for_update().filter(consumer="sorting").order_by("id").first()
        assert first is not None
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
    assert done == [["sorting.sort_parcel"]]
    assert only(pk=first.pk).state == "pending"


def test_what_was_not_sent_is_given_back_due_as_before() -> None:
    published(parcel_packed())
    due = only(handler=SORT).due_at
    found = claim("sorting", 10)
    assert found is not None
    unclaim(found.deliveries)
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.token, delivery.due_at, delivery.attempts) == ("pending", None, due, 0)


def test_only_what_was_not_sent_and_nobody_has_started_is_given_back() -> None:
    published(parcel_packed(), parcel_packed(), parcel_packed())
    found = claim("sorting", 3)
    assert found is not None
    unsent, started, sent = found.deliveries
    assert start_one(started.id, started.token, worker="test", lease=30) is not None
    unclaim([unsent, started])
    states = [only(pk=one.id).state for one in (unsent, started, sent)]
    assert states == ["pending", "running", "leased"]


def test_the_due_queues_are_told_with_what_is_out() -> None:
    published(parcel_packed())
    published(parcel_packed())
    claim("sorting", 1)
    assert claims.due_queues(count_to=25) == [
        DueQueue("counting", leased=0, running=0, due=2),
        DueQueue("letters", leased=0, running=0, due=2),
        DueQueue("sorting", leased=1, running=0, due=1),
    ]
    Delivery.objects.filter(consumer="counting").update(due_at="2999-01-01T00:00:00Z")
    assert "counting" not in {due.name for due in claims.due_queues()}
    make_due(consumer="counting")
    assert "counting" in {due.name for due in claims.due_queues()}


def test_of_a_queue_no_more_are_counted_than_tell_that_a_whole_claim_is_there() -> None:
    published(*(parcel_packed() for _ in range(4)))
    assert {due.due for due in claims.due_queues(count_to=3)} == {3}


def test_what_was_tried_and_has_waited_as_often_is_sent_alone() -> None:
    published(parcel_packed())
    Delivery.objects.update(attempts=1, waits=1)
    found = claim("sorting", 1)
    assert found is not None
    assert [one.tries for one in found.deliveries] == [2]
    assert [len(message) for message in messages([*found.deliveries] * 3)] == [1, 1, 1]


@pytest.mark.parametrize("error", [ValueError("its own fault"), DependencyAway("the fault of another")])
def test_after_its_first_run_a_delivery_is_sent_alone(error: Exception) -> None:
    published(parcel_packed(), parcel_packed(), parcel_packed())

    def fail(event: Any) -> None:
        raise error

    with pytest.raises(Retry):
        run(handler(fail))
    make_due(consumer="sorting")
    found = claim("sorting", 3)
    assert found is not None
    assert sorted(one.tries for one in found.deliveries) == [0, 0, 1]
    assert sorted(len(message) for message in messages(found.deliveries)) == [1, 2]
