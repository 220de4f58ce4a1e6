import pytest
from django.db import transaction
from django.db.models import Func

from events import deliveries, sweeps
from events.models import Delivery
from events.tests.helpers import claimed, only, order_created, published


class ClockTimestamp(Func):
    function = "clock_timestamp"


pytestmark = pytest.mark.django_db(transaction=True)
NAME = "inventory.reserve_items"


def let_the_lease_run_out() -> None:
    """As if time had passed since a start that was after PostgreSQL's own."""
    Delivery.objects.filter(handler=NAME).update(lease_until=ClockTimestamp(), lease_seconds=0)


def test_a_message_that_nobody_started_is_sent_again_uncounted() -> None:
    published(order_created())
    claimed()
    let_the_lease_run_out()
    assert sweeps.expire_leases() == 1
    delivery = only(handler=NAME)
    assert (delivery.state, delivery.attempts, delivery.token, delivery.error_type) == ("pending", 0, None, "")


def test_a_lost_worker_costs_the_attempt_that_it_had_begun() -> None:
    published(order_created())
    deliveries.start(*claimed(), worker="gone@host", lease=30)
    let_the_lease_run_out()
    sweeps.expire_leases()
    delivery = only(handler=NAME)
    assert (delivery.state, delivery.attempts, delivery.error_type) == ("pending", 1, "WorkerLost")
    assert "gone@host" in delivery.error_message


def test_a_delivery_that_loses_its_worker_every_time_ends_as_a_dead_letter() -> None:
    published(order_created())
    Delivery.objects.filter(handler=NAME).update(max_attempts=2)
    for _ in range(2):
        deliveries.start(*claimed(), worker="gone", lease=30)
        let_the_lease_run_out()
        sweeps.expire_leases()
    delivery = only(handler=NAME)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("dead", "worker_lost", 2)


def test_an_attempt_cut_off_by_a_restart_of_postgresql_is_not_counted() -> None:
    published(order_created())
    Delivery.objects.filter(handler=NAME).update(max_attempts=1)
    deliveries.start(*claimed(), worker="gone", lease=30)
    Delivery.objects.filter(handler=NAME).update(lease_until="2020-01-01T00:00:00Z")
    sweeps.expire_leases()
    delivery = only(handler=NAME)
    assert (delivery.state, delivery.attempts, delivery.waits) == ("pending", 0, 1)


def test_a_message_that_was_lost_keeps_its_place_in_the_queue() -> None:
    published(order_created())
    due = only(handler=NAME).due_at
    claimed()
    let_the_lease_run_out()
    sweeps.expire_leases()
    assert only(handler=NAME).due_at == due


def test_a_lease_that_has_not_run_out_stays() -> None:
    published(order_created())
    claimed()
    assert sweeps.expire_leases() == 0
    assert only(handler=NAME).state == "leased"


def test_a_delivery_whose_worker_is_just_committing_is_left_to_it() -> None:
    import threading

    from django.db import connection

    published(order_created())
    started = deliveries.start(*claimed(), worker="slow", lease=30)
    assert started is not None
    let_the_lease_run_out()
    expired: list[int] = []

    def relay() -> None:
        expired.append(sweeps.expire_leases())
        connection.close()

    with transaction.atomic():
        assert deliveries.hold(started)
        thread = threading.Thread(target=relay)
        thread.start()
        thread.join(10)
        assert expired == [0]
        assert deliveries.finish(started)
    assert only(handler=NAME).state == "done"
