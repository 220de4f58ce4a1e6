import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from events import purge as module
from events import tasks
from events.letters.dead_letters import discard, replay
from events.models import (
    Decision,
    Delivery,
    Event,
    FailedAttempt,
    Note,
    PurgeMark,
    State,
    SubjectCounter,
    Tally,
    UnusableMessage,
)
from events.purge import purge_events, purge_final, purge_rows, purged_until
from events.tests.helpers import only, published
from events.tests.parcels import parcel_lost, parcel_packed

pytestmark = pytest.mark.django_db(transaction=True)
IN_FLIGHT = {"token": uuid4(), "lease_until": Now(), "handled_at": None}
# What a row in each state must have besides.
STATES: dict[str, dict[str, Any]] = {
    "pending": {"due_at": Now(), "handled_at": None},
    "leased": IN_FLIGHT,
    "running": IN_FLIGHT,
    "done": {},
    "dead": {"reason": "permanent_error"},
    "discarded": {},
}


def age(days: int, state: str = "done", **filters: object) -> None:
    """Let these deliveries have come into this state so many days ago."""
    Delivery.objects.filter(**filters).update(
        **{"state": state, "reason": "", "handled_at": Now() - timedelta(days=days)} | STATES[state]
    )
    if state == "discarded":
        for delivery in Delivery.objects.filter(**filters):
            Decision.objects.create(delivery=delivery, action="discard", by="ann", reason="old")
            Note.objects.create(delivery=delivery, by="ann", text="old")


def test_it_deletes_what_was_done_long_ago_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    for _ in range(3):
        published(parcel_packed())
    age(91, consumer="sorting")
    age(89, consumer="counting")
    assert purge_final(older_than_days=90) == 3
    left = set(Delivery.objects.values_list("consumer", "state"))
    assert left == {("counting", "done"), ("letters", "pending")}
    assert Event.objects.count() == 3


def test_every_state_is_tried() -> None:
    assert set(STATES) == set(State.values)


@pytest.mark.parametrize("state", STATES)
def test_what_is_not_done_or_discarded_is_never_deleted_however_old(state: str) -> None:
    published(parcel_packed())
    Event.objects.update(time=Now() - timedelta(days=5_000))
    age(5_000, state)
    final = state in ("done", "discarded")
    assert purge_final(older_than_days=90) == (3 if final else 0)
    assert purge_events(older_than_days=90) == (1 if final else 0)
    assert Delivery.objects.count() == (0 if final else 3)


def test_it_deletes_a_replayed_letter_with_what_was_noted_about_it() -> None:
    published(parcel_packed())
    for delivery in Delivery.objects.all():
        Decision.objects.create(delivery=delivery, action="replay", by="ann")
        FailedAttempt.objects.create(delivery=delivery, number=1, started_at=Now(), worker="w", error_type="E")
    age(91)
    assert purge_final(older_than_days=90) == 3
    assert not Decision.objects.exists()
    assert not FailedAttempt.objects.exists()


def beside(work: Any) -> list[Any]:
    """Do this in a thread with a connection of its own, which must not have to wait; return its answer."""
    answers: list[Any] = []

    def run() -> None:
        answers.append(work())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits for a lock"
    return answers


def test_a_letter_that_is_replayed_while_the_purge_runs_is_kept() -> None:
    published(parcel_packed())
    age(91, "dead")
    letter = only(consumer="sorting")
    age(91, "done", consumer="counting")
    with transaction.atomic():
        replay(letter.pk, by="ann")
        assert beside(lambda: purge_final(older_than_days=90)) == [1]
    assert purge_final(older_than_days=90) == 0
    assert only(pk=letter.pk).state == "pending"


def test_a_row_that_somebody_holds_is_passed_over_and_what_it_becomes_is_kept() -> None:
    """As when a person sets a done delivery back by hand."""
    published(parcel_packed())
    age(91)
    held = only(consumer="sorting")
    with transaction.atomic():
        Delivery.objects.filter(pk=held.pk).update(state="pending", due_at=Now(), handled_at=None)
        assert beside(lambda: purge_final(older_than_days=90)) == [2]
    assert purge_final(older_than_days=90) == 0
    assert only().pk == held.pk


def test_a_letter_that_is_just_discarded_is_kept_as_long_as_a_done_one() -> None:
    published(parcel_packed())
    age(91, "dead")
    discard(only(consumer="counting").pk, by="ann", reason="no")
    assert purge_final(older_than_days=90) == 0


def old_event(days: int, subject: Any = None) -> Any:
    """Publish an event of so many days ago, whose deliveries are purged; return its subject."""
    subject = subject or uuid4()
    (event_id,) = published(parcel_packed(subject))
    Event.objects.filter(pk=event_id).update(time=Now() - timedelta(days=days))
    Delivery.objects.filter(event_id=event_id).delete()
    return subject


def test_events_stay_for_ever_unless_told_otherwise() -> None:
    old_event(5_000)
    assert purge_events(older_than_days=0) == 0
    assert tasks.purge()["events"] == 0
    assert Event.objects.exists()


def test_old_events_go_when_nothing_of_their_subject_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    gone = [old_event(401) for _ in range(5)]
    young, undone, half = old_event(399), old_event(401), old_event(401)
    published(parcel_lost(undone))  # with deliveries
    old_event(10, half)
    assert purge_events(older_than_days=400) == 5
    assert set(Event.objects.values_list("subject", flat=True)) == {young, undone, half}
    assert set(SubjectCounter.objects.values_list("subject", flat=True)) == {*gone, young, undone, half}


def test_events_stay_as_long_as_a_backfill_may_want_them() -> None:
    old_event(89)
    assert purge_events(older_than_days=1) == 0


@pytest.mark.parametrize("state", ["done", "discarded"])
def test_the_purge_writes_down_how_far_it_came(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    assert purge_final(older_than_days=90) == 0
    assert not PurgeMark.objects.exists()
    times = []
    for days in (95, 93, 91, 50):
        (event_id,) = published(parcel_packed())
        Event.objects.filter(pk=event_id).update(time=Now() - timedelta(days=days))
        age(days, state, event_id=event_id)
        times.append(Event.objects.get(pk=event_id).time)
    assert purge_final(older_than_days=92) == 6
    assert purged_until(PurgeMark.What.DELIVERIES) == times[1]
    assert purge_final(older_than_days=90) == 3
    assert purge_final(older_than_days=365) == 0
    assert purged_until(PurgeMark.What.DELIVERIES) == times[2]
    assert purged_until(PurgeMark.What.EVENTS) is None
    assert purge_events(older_than_days=90) == 3
    assert purged_until(PurgeMark.What.EVENTS) == times[2]


def test_what_was_not_purged_after_all_is_not_written_down() -> None:
    published(parcel_packed())
    age(91)
    with transaction.atomic():
        assert purge_final(older_than_days=90) == 3
        transaction.set_rollback(True)
    assert not PurgeMark.objects.exists()
    assert Delivery.objects.count() == 3


def unusable(days: int) -> None:
    row = UnusableMessage.objects.create(queue="delivery", worker="w", problem="not_json", raw="x", size=1)
    UnusableMessage.objects.filter(pk=row.pk).update(received_at=Now() - timedelta(days=days))


def test_the_task_purges_old_unusable_messages_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    for days in (29, 31, 31, 31):
        unusable(days)
    assert tasks.purge() == {"deliveries": 0, "events": 0, "unusable messages": 3, "tallies": 0}
    assert UnusableMessage.objects.count() == 1


def test_a_row_that_somebody_holds_does_not_stop_the_purge_of_the_others() -> None:
    unusable(1)
    unusable(1)
    held = UnusableMessage.objects.all()[0]
    with transaction.atomic():
        UnusableMessage.objects.select_for_update().get(pk=held.pk)
        assert beside(lambda: purge_rows(UnusableMessage.objects.all())) == [1]
    assert UnusableMessage.objects.get().pk == held.pk


def test_no_chunk_holds_more_rows_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    for _ in range(5):
        unusable(1)
    deleted: list[int] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        if sql.startswith("DELETE"):
            deleted.append(context["cursor"].rowcount)
        return answer

    with connection.execute_wrapper(note):
        assert purge_rows(UnusableMessage.objects.all()) == 5
    assert deleted == [2, 2, 1]


def test_tallies_of_old_minutes_and_hours_go_and_the_sums_stay() -> None:
    for grain, days in (("minute", 1), ("minute", 3), ("hour", 80), ("hour", 91), ("ever", 900)):
        Tally.objects.create(grain=grain, at=timezone.now() - timedelta(days=days), what="done", name="a", count=1)
    assert tasks.purge()["tallies"] == 2
    left = set(Tally.objects.values_list("grain", flat=True))
    assert (Tally.objects.count(), left) == (3, {"minute", "hour", "ever"})
