"""While an old snapshot is held, looks that are made often do not read what is over again."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from celery import Celery
from celery.exceptions import Retry
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from events import commit_horizon, floors
from events.error_text import describe
from events.floors import BEGINNING, KeptFloors
from events.handling import deliveries, failures
from events.letters import dead_letters
from events.models import Delivery, Reason
from events.relaying import claims, sweeps
from events.relaying.claims import Gap, claim, due_queues
from events.relaying.relay import Relay
from events.relaying.sender import Sender
from events.sql import fetch
from events.statistics import progress
from events.tests.helpers import SORT, claimed, due_since, handler, nothing, only, published, run
from events.tests.parcels import a_dead_letter, parcel_lost, parcel_packed
from events.tests.servers import a_transaction, pages_read, statements, waiting_for_locks
from events.tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
OVER = 4_000  # deliveries that were handled while the snapshot was held
FEW = 150  # pages: what a look may read; with what is over it reads one for each entry

INSERT = """
INSERT INTO events_delivery (id, event_id, event_type, subject, sequence, handler, consumer, queue, lease_seconds,
    max_attempts, dead_holds, batch, state, due_at)
SELECT gen_random_uuid(), %s, 't', gen_random_uuid(), 1, 'h' || n, 'sorting', 'sorting', 30, 10, true, 25,
    'pending', now() - interval '90 s' + n * interval '1 ms'
FROM generate_series(1, %s) n ORDER BY random()
"""
LIVES = [
    "state = 'leased', token = gen_random_uuid(), lease_until = due_at + interval '30 s'",
    "state = 'running'",
    "state = 'done', token = NULL, lease_until = NULL, handled_at = now()",
]


def is_asked_again(sql: str) -> bool:
    """Tell whether a statement reads rows, and can be made a second time."""
    return bool(re.match(r"\s*(SELECT|WITH|UPDATE)\b", sql)) and "INSERT INTO events_event" not in sql


@contextmanager
def a_snapshot() -> Iterator[None]:
    """Hold a snapshot as pg_dump does."""
    with a_transaction() as other:
        other.rollback()
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM events_delivery")
        yield


def handle_many(event_id: UUID) -> None:
    """Let many deliveries have been published, sent, run and done, as PostgreSQL sees it."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [event_id, OVER])
        for change in LIVES:
            cursor.execute(f"UPDATE events_delivery SET {change} WHERE event_id = %s", [event_id])


def look_at_all(relay: Relay) -> None:
    """Make every look that is made once a second, or whenever somebody asks how it goes."""
    relay._sweep()
    relay.turn()
    known = relay._floors
    for newest in (False, True):
        claim("sorting", 25, newest=newest, floor=known["sorting"].due)
    progress.oldest_due()
    progress.queue_states()


def work() -> None:
    """Handle deliveries in each way, one after the other and together."""
    published(parcel_packed(), parcel_packed(), parcel_packed())
    run(handler(nothing))
    with suppress(Retry):
        run(handler(raise_error))
    dead = a_dead_letter(SORT)
    dead_letters.replay(dead, by="ann")
    dead_letters.replay_all([dead], by="ann")
    fetch(dead_letters._DISCARD, {"id": dead})
    found = claim("counting", 10)
    assert found
    claims.unclaim(found.deliveries)
    found = claim("counting", 10)
    assert found
    started = deliveries.start({d.id: d.token for d in found.deliveries}, worker="w", lease=30)
    deliveries.hold(started)
    deliveries.renew(started)
    deliveries.finish(started[:1])
    deliveries.give_back(started[1:], alone=True)
    aside = {"reason": Reason.UNKNOWN_TYPE, "error": describe(ValueError()), "grace": 60, "delay": 1}
    failures.set_aside(*claimed("letters"), **aside)  # type: ignore[arg-type]


def raise_error(event: object) -> None:
    raise ValueError


def test_no_statement_reads_what_is_over_again_while_a_snapshot_is_held() -> None:
    """Nor by an index of what is due, or in flight, that PostgreSQL took for empty in a quiet moment."""
    before, event_id = published(parcel_packed(), parcel_packed())
    Delivery.objects.all().delete()
    handle_many(before)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE events_delivery")
    with a_snapshot():
        handle_many(event_id)
        with statements() as made:
            look_at_all(Relay(Sender(Celery(broker=settings.BROKER_URL))))
            work()
        read = {sql: pages_read(sql, parameters) for sql, parameters in made if is_asked_again(sql)}
    searches = [read.pop(sql) for sql in (floors._SEARCH_DUE, floors._SEARCH_LEASES)]
    assert min(searches) > 0.9 * OVER, "the snapshot holds nothing, so this proves nothing"
    assert len(read) > 15
    assert {sql: pages for sql, pages in read.items() if pages > FEW} == {}


def test_claims_of_the_newest_do_not_step_over_what_those_before_took() -> None:
    (event_id,) = published(parcel_packed())
    Delivery.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE events_delivery")
        with a_snapshot():
            cursor.execute(INSERT, [event_id, OVER])
            gap = Gap()
            while Delivery.objects.filter(state="pending").count() > 100:
                found = claim("sorting", 100, newest=True, gap=gap)
                assert found
                gap = gap.after(found)
                for change in LIVES:
                    cursor.execute(f"UPDATE events_delivery SET {change} WHERE state IN ('leased', 'running')")
            assert pages_read_by_newest(Gap()) > 0.9 * OVER
            assert pages_read_by_newest(gap) < 0.4 * OVER  # what came in the last second is looked at again


def pages_read_by_newest(gap: Gap) -> int:
    older, newer = gap.bounds
    where = {"queue": "sorting", "size": 1, "window": 8, "floor": BEGINNING, "older": older, "newer": newer}
    return pages_read(claims._CLAIM_NEWEST, where)


def taken(gap: Gap) -> tuple[Gap, list[int]]:
    """Claim two of the newest; return the gap that is left and how old they are, in tens of seconds."""
    found = claim("sorting", 2, newest=True, gap=gap)
    assert found
    ages = [(commit_horizon.now() - delivery.due_at).total_seconds() for delivery in found.deliveries]
    return gap.after(found), sorted(round(age / 10) for age in ages)


def test_claims_of_the_newest_take_what_came_since_then_go_on_where_they_were() -> None:
    for age in (100, 90, 80, 70, 60, 50):
        due_since(age, event_id=published(parcel_packed())[0])
    gap, ages = taken(Gap())
    assert ages == [5, 6]
    gap, ages = taken(gap)
    assert ages == [7, 8]
    for age in (40, 30, 20):
        due_since(age, event_id=published(parcel_packed())[0])
    gap, ages = taken(gap)
    assert ages == [2, 3]
    gap, ages = taken(gap)
    assert ages == [4, 9]
    gap, ages = taken(gap)
    assert ages == [10]


def test_what_comes_to_be_seen_a_little_late_lies_in_no_gap() -> None:
    for age in (100, 10):
        due_since(age, event_id=published(parcel_packed())[0])
    gap, ages = taken(Gap())
    assert ages == [1, 10]
    due_since(10.5, event_id=published(parcel_packed())[0])
    gap, ages = taken(gap)
    assert ages == [1]


def test_what_has_come_to_lie_below_a_floor_is_seen_at_the_next_search() -> None:
    kept = KeptFloors(every=0, margin=1)
    known = kept.get()
    published(parcel_packed())
    assert {due.name for due in due_queues(known)} == {"sorting", "letters", "counting"}
    due_since(60)
    assert due_queues(known) == []
    kept.forget()
    assert {due.name for due in due_queues(kept.get())} == {"sorting", "letters", "counting"}


def test_a_queue_that_the_map_does_not_have_is_found_by_what_is_due_or_out() -> None:
    published(parcel_packed())
    Delivery.objects.update(queue="later")
    known = KeptFloors(every=0, margin=1).get()
    assert [due.name for due in due_queues(known)] == ["later"]
    assert claim("later", 100)
    known = KeptFloors(every=0, margin=1).get()
    assert known["later"].lease < commit_horizon.now() + timedelta(seconds=30)


def test_the_relay_serves_within_a_second_what_lies_below_its_floor() -> None:
    """As after a commit that was slow, or a lease that was given back by another relay."""
    relay = Relay(Sender(Celery(broker=settings.BROKER_URL)))
    relay.turn()
    published(parcel_packed())
    due_since(60)
    began = time.monotonic()
    while not relay.turn():
        assert time.monotonic() < began + 5
    relay._sender.close()
    assert time.monotonic() < began + 2.5


def test_what_is_published_in_a_short_transaction_waits_for_no_search() -> None:
    relay = Relay(Sender(Celery(broker=settings.BROKER_URL)))
    relay.turn()
    published(parcel_packed())
    due_since(0.5)
    assert relay.turn() == 3
    relay._sender.close()


def lease_until() -> datetime:
    found = only(handler=SORT).lease_until
    assert found is not None
    return found


def test_the_floor_of_leases_moves_with_them_and_passes_none_over(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptFloors(every=0, margin=1)
    kept.get()
    published(parcel_packed())
    claim("sorting", 1)
    assert lease_until() - timedelta(seconds=2) < kept.get()["sorting"].lease <= lease_until()
    Delivery.objects.filter(queue="sorting").update(lease_until=Now() + timedelta(seconds=300))
    assert kept.get()["sorting"].lease < commit_horizon.now() + timedelta(seconds=30)
    Delivery.objects.filter(queue="sorting").update(lease_until=Now() - timedelta(seconds=1))
    monkeypatch.setattr(kept._leases, "until", 0.0)
    assert sweeps.expire_leases(kept.get()) == 1


def test_what_is_out_with_a_lease_below_the_floor_is_not_seen() -> None:
    known = KeptFloors(every=0, margin=1).get()
    published(parcel_packed(), parcel_packed())
    claim("sorting", 1)
    Delivery.objects.filter(state="leased").update(lease_until=Now() - timedelta(seconds=1))
    assert [due.leased for due in due_queues(known) if due.name == "sorting"] == [0]
    assert sweeps.expire_leases(known) == 0
    assert [due.leased for due in due_queues() if due.name == "sorting"] == [1]
    assert sweeps.expire_leases() == 1


def test_what_is_held_back_below_the_floor_is_parked_at_the_next_search() -> None:
    a_dead_letter(SORT, parcel_id := uuid4())
    known = KeptFloors(every=0, margin=1).get()
    published(parcel_lost(parcel_id), parcel_packed())
    due_since(60, handler="sorting.take_out")
    assert sweeps.park_missed(known) == 0
    assert sweeps.park_missed() == 1


def test_a_clock_that_steps_back_hides_no_new_lease() -> None:
    kept = KeptFloors(every=0, margin=1)
    known = kept.get()
    kept._leases.found = {queue: floor.lease + timedelta(hours=1) for queue, floor in known.items()}
    published(parcel_packed())
    claim("sorting", 1)
    assert kept.get()["sorting"].lease <= lease_until()


def test_a_process_that_reports_looks_through_everything_twice_a_minute() -> None:
    published(parcel_packed())
    assert set(progress.oldest_due()) == {"sorting", "letters", "counting"}
    with connection.cursor() as cursor:  # not due_since(): that lets go of the floors
        cursor.execute("UPDATE events_delivery SET due_at = now() - interval '300 s'")
    assert progress.oldest_due() == {}
    floors.kept._due.until -= floors.EVERY
    assert progress.oldest_due()["sorting"] > 290


def test_a_slow_search_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "SLOW", 0.0)
    monkeypatch.setattr(floors, "REST", 0)
    kept = KeptFloors(every=0, margin=1)
    first = kept.get()
    published(parcel_packed())
    due_since(60)
    with a_transaction() as other:
        other.execute("LOCK TABLE events_delivery")
        assert kept._due.get({"queues": ["sorting"], "margin": 1}) is not None
        until("the search waits", waiting_for_locks)
        assert due_floor(kept) == first["sorting"].due
    until("the search is over", lambda: due_floor(kept) < first["sorting"].due)


def due_floor(kept: KeptFloors) -> datetime:
    return kept._due.found["sorting"]
