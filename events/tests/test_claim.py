import threading
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Retry
from django.db import connection, transaction

from events.errors import DependencyAway
from events.handling import deliveries
from events.models import Delivery
from events.relaying import claims
from events.relaying.claims import DueQueue, claim, give_back
from events.tests.helpers import handler, make_due, nothing, only, order_cancelled, order_created, published, run

pytestmark = pytest.mark.django_db(transaction=True)


def handlers_claimed(queue: str, size: int = 100) -> list[str]:
    found = claim(queue, size)
    return sorted(d.handler for d in found.deliveries) if found else []


def test_a_claim_leases_what_is_due_and_counts_no_attempt() -> None:
    published(order_created())
    assert handlers_claimed("inventory") == ["inventory.reserve_items"]
    delivery = only(handler="inventory.reserve_items")
    assert (delivery.state, delivery.attempts) == ("leased", 0)
    assert delivery.token is not None
    assert delivery.lease_until is not None


def test_what_is_leased_is_not_claimed_again() -> None:
    published(order_created())
    assert handlers_claimed("inventory")
    assert claim("inventory", 100) is None


def test_a_subjects_deliveries_to_one_consumer_are_handed_out_one_at_a_time() -> None:
    order_id = uuid4()
    published(order_created(order_id))
    published(order_cancelled(order_id))
    assert handlers_claimed("inventory") == ["inventory.reserve_items"]
    assert handlers_claimed("inventory") == []
    Delivery.objects.filter(consumer="inventory", state="leased").update(state="pending", token=None, lease_until=None)
    run(handler(nothing))
    assert handlers_claimed("inventory") == ["inventory.release_items"]


def test_another_consumer_and_another_subject_do_not_wait() -> None:
    published(order_created())
    assert handlers_claimed("inventory")
    published(order_created())
    assert handlers_claimed("inventory") == ["inventory.reserve_items"]
    assert handlers_claimed("analytics") == ["analytics.track_order"] * 2


def test_a_claim_takes_the_oldest_or_the_newest() -> None:
    first, second = (published(order_created())[0] for _ in range(2))
    oldest = claim("inventory", 1)
    newest = claim("analytics", 1, newest=True)
    assert oldest is not None
    assert newest is not None
    assert only(pk=oldest.deliveries[0].id).event_id == first
    assert only(pk=newest.deliveries[0].id).event_id == second


def test_the_newest_claim_respects_the_order_of_a_subject_too() -> None:
    order_id = uuid4()
    published(order_created(order_id), order_cancelled(order_id))
    newest = claim("inventory", 10, newest=True)
    assert newest is not None
    assert [d.handler for d in newest.deliveries] == ["inventory.reserve_items"]


def test_two_relays_at_once_never_claim_the_same_delivery() -> None:
    for _ in range(40):
        published(order_created())
    taken: list[list[object]] = []

    def relay() -> None:
        mine: list[object] = []
        while found := claim("inventory", 3):
            mine += [d.id for d in found.deliveries]
        taken.append(mine)
        connection.close()

    threads = [threading.Thread(target=relay) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    everything = [delivery for mine in taken for delivery in mine]
    assert len(everything) == len(set(everything)) == 40


def test_a_claim_passes_over_rows_that_another_transaction_holds() -> None:
    published(order_created())
    published(order_created())
    done = []

    def other() -> None:
        done.append(handlers_claimed("inventory"))
        connection.close()

    with transaction.atomic():
        first = Delivery.objects.select_for_update().filter(consumer="inventory").order_by("id").first()
        assert first is not None
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
    assert done == [["inventory.reserve_items"]]
    assert only(pk=first.pk).state == "pending"


def test_what_was_not_sent_is_given_back_due_as_before() -> None:
    published(order_created())
    due = only(handler="inventory.reserve_items").due_at
    found = claim("inventory", 10)
    assert found is not None
    give_back(found.deliveries)
    delivery = only(handler="inventory.reserve_items")
    assert (delivery.state, delivery.token, delivery.due_at, delivery.attempts) == ("pending", None, due, 0)


def test_only_what_was_not_sent_and_nobody_has_started_is_given_back() -> None:
    published(order_created(), order_created(), order_created())
    found = claim("inventory", 3)
    assert found is not None
    unsent, started, sent = found.deliveries
    assert deliveries.start(started.id, started.token, worker="test", lease=30) is not None
    give_back([unsent, started])
    states = [only(pk=one.id).state for one in (unsent, started, sent)]
    assert states == ["pending", "running", "leased"]


def test_the_due_queues_are_told_with_what_is_out() -> None:
    published(order_created())
    published(order_created())
    claim("inventory", 1)
    assert claims.due_queues() == [
        DueQueue("analytics", leased=0, running=0, due=2),
        DueQueue("inventory", leased=1, running=0, due=1),
        DueQueue("notifications", leased=0, running=0, due=2),
    ]
    Delivery.objects.filter(consumer="analytics").update(due_at="2999-01-01T00:00:00Z")
    assert "analytics" not in {due.name for due in claims.due_queues()}
    make_due(consumer="analytics")
    assert "analytics" in {due.name for due in claims.due_queues()}


@pytest.mark.parametrize("error", [ValueError("its own fault"), DependencyAway("the fault of another")])
def test_after_its_first_run_a_delivery_is_sent_alone(error: Exception) -> None:
    published(order_created(), order_created(), order_created())

    def fail(event: Any) -> None:
        raise error

    with pytest.raises(Retry):
        run(handler(fail))
    make_due(consumer="inventory")
    found = claim("inventory", 3)
    assert found is not None
    assert sorted((one.tries, one.batch) for one in found.deliveries) == [(0, 25), (0, 25), (1, 1)]
