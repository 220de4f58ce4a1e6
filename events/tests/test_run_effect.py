import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.db import DataError, OperationalError, connection, transaction

from events import error_text, flower
from events.errors import DependencyAway, PermanentError
from events.handling import deliveries, runner
from events.handling.batch import Batch
from events.models import Delivery, Event, SubjectCounter
from events.policy import Limits
from events.publishing import publish
from events.relaying import claims
from events.tests.helpers import SORT, claimed, handler, make_due, nothing, only, published, run
from events.tests.parcels import parcel_packed
from events.tests.servers import at_once, waiting_for_locks
from events.tests.waiting import until
from events.types import UnknownType

pytestmark = pytest.mark.django_db(transaction=True)


def leave_a_mark(event: Any) -> None:
    """An effect that shows how often it was applied."""
    SubjectCounter.objects.get_or_create(subject=event.id, defaults={"last": 0})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_subjectcounter SET last = last + 1 WHERE subject = %s", [event.id])


def marks() -> int:
    return sum(SubjectCounter.objects.filter(subject__in=Event.objects.values("id")).values_list("last", flat=True))


def raising(error: BaseException) -> Any:
    def function(event: Any) -> None:
        leave_a_mark(event)
        raise error

    return function


def test_an_effect_and_its_done_mark_are_committed_together() -> None:
    published(parcel_packed())
    assert run(handler(leave_a_mark)) == "done at attempt 1"
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts, delivery.token, marks()) == ("done", 1, None, 1)
    assert delivery.handled_at is not None


def test_twenty_copies_of_a_message_at_once_make_one_attempt_and_one_effect() -> None:
    published(parcel_packed())
    delivery_id, token = claimed()
    answers = at_once(20, lambda _: runner.run(handler(leave_a_mark), {delivery_id: token}, worker="test"))
    assert sorted(answer[:5] for answer in answers) == ["done "] + ["stale"] * 19
    assert (only(handler=SORT).attempts, marks()) == (1, 1)


def test_a_message_with_an_old_token_does_nothing() -> None:
    published(parcel_packed())
    delivery_id, _ = claimed()
    assert runner.run(handler(leave_a_mark), {delivery_id: uuid4()}, worker="test").startswith("stale")
    assert (only(handler=SORT).state, only(handler=SORT).attempts, marks()) == ("leased", 0, 0)


def test_an_error_rolls_the_effect_back_and_the_delivery_is_due_again_later() -> None:
    published(parcel_packed())
    with pytest.raises(Retry):
        run(handler(raising(ValueError("no luck"))))
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts, delivery.waits, marks()) == ("pending", 1, 0, 0)
    assert delivery.error_type == "builtins.ValueError"
    assert delivery.error_message == "no luck"
    assert "raise error" in delivery.error_traceback
    assert claims.claim("sorting", 1) is None
    make_due(handler=SORT)
    assert run(handler(leave_a_mark)) == "done at attempt 2"
    assert marks() == 1


def test_a_permanent_error_makes_a_dead_letter_at_once() -> None:
    published(parcel_packed())
    with pytest.raises(PermanentError):
        run(handler(raising(PermanentError("bad data"))))
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.reason, delivery.attempts, marks()) == ("dead", "permanent_error", 1, 0)


@pytest.mark.parametrize(
    ("error", "reason"), [(ValueError(), "attempts_exhausted"), (SoftTimeLimitExceeded(), "timed_out")]
)
def test_with_its_attempts_spent_a_delivery_is_dead(error: Exception, reason: str) -> None:
    published(parcel_packed())
    limit = only(handler=SORT).max_attempts
    for _ in range(limit - 1):
        make_due(handler=SORT)
        with pytest.raises(Retry):
            run(handler(raising(error)))
    make_due(handler=SORT)
    with pytest.raises(type(error)):
        run(handler(raising(error)))
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("dead", reason, limit)


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), DependencyAway("down")])
def test_a_dependency_that_is_away_costs_no_attempt(error: Exception) -> None:
    published(parcel_packed())
    for _ in range(only(handler=SORT).max_attempts + 2):
        make_due(handler=SORT)
        with pytest.raises(Retry):
            run(handler(raising(error)))
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts) == ("pending", 0)
    assert delivery.waits == delivery.max_attempts + 2


@pytest.mark.parametrize(
    ("error", "is_kept"), [(OperationalError("the connection is closed"), False), (KeyError(), True)]
)
def test_after_an_error_of_a_database_that_is_away_its_connection_is_not_used_again(
    error: Exception, is_kept: bool
) -> None:
    published(parcel_packed())
    before = connection.connection
    with pytest.raises(Retry):
        run(handler(raising(error)))
    assert (connection.connection is before) is is_kept


def test_a_dependency_that_is_away_for_too_long_counts() -> None:
    published(parcel_packed())
    Delivery.objects.update(waiting_since="2020-01-01T00:00:00Z", waiting_for="dependency")
    with pytest.raises(Retry):
        run(handler(raising(ConnectionRefusedError())))
    assert only(handler=SORT).attempts == 1


def test_a_deadlock_is_retried_without_a_new_attempt() -> None:
    published(parcel_packed())
    rows = [SubjectCounter.objects.create(subject=uuid4(), last=0).subject for _ in range(2)]
    first_lock, tries = threading.Event(), []

    def touch(subject: UUID) -> None:
        SubjectCounter.objects.filter(subject=subject).update(last=1)

    def opponent() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '30s'")  # so that the handler is the victim
            touch(rows[1])
            first_lock.wait(10)
            touch(rows[0])
        connection.close()

    def crossing(event: Any) -> None:
        tries.append(1)
        touch(rows[0])
        if len(tries) == 1:
            first_lock.set()
            until("the opponent waits for us", lambda: waiting_for_locks() == 1)
        touch(rows[1])

    thread = threading.Thread(target=opponent)
    thread.start()
    assert run(handler(crossing)) == "done at attempt 1"
    thread.join(10)
    assert len(tries) == 2


@pytest.mark.parametrize(("state", "tries"), [("40P01", 1 + runner.DEADLOCK_RETRIES), ("40001", 4), ("22023", 1)])
def test_what_is_a_deadlocks_victim_every_time_is_tried_a_few_times_in_one_attempt(state: str, tries: int) -> None:
    published(parcel_packed())
    made: list[int] = []

    def be_the_victim(event: Any) -> None:
        made.append(1)
        with connection.cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$")

    with pytest.raises(Retry):
        run(handler(be_the_victim))
    assert len(made) == tries
    assert (only(handler=SORT).state, only(handler=SORT).attempts) == ("pending", 1)


def test_a_delivery_that_cannot_be_started_is_left_to_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    published(parcel_packed())
    message = claimed()
    tries: list[Exception] = []

    def be_away(*_: Any, **__: Any) -> None:
        tries.append(OperationalError("the connection is closed"))
        raise tries[-1]

    monkeypatch.setattr(deliveries, "start", be_away)
    with pytest.raises(Retry) as caught:
        runner.run(handler(nothing), dict([message]), worker="test")
    assert caught.value.exc is tries[1]
    assert (only(handler=SORT).state, only(handler=SORT).attempts) == ("leased", 0)


def test_a_start_that_the_database_refuses_is_an_error() -> None:
    published(parcel_packed())
    with pytest.raises(DataError):
        runner.run(handler(nothing, limits=Limits(10**12)), dict([claimed()]), worker="test")


def test_a_worker_that_lost_its_lease_commits_nothing() -> None:
    published(parcel_packed())

    delivery_id, token = claimed()
    started = deliveries.start({delivery_id: token}, worker="frozen", lease=30)
    Delivery.objects.filter(pk=delivery_id).update(token=uuid4())
    batch = Batch(handler(leave_a_mark), started, alone=True, parents={})
    runner.apply_effect(batch, batch.readable())
    assert batch.end() == flower.SUPERSEDED
    assert marks() == 0


def test_a_frozen_transaction_loses_its_locks_before_its_lease_is_over() -> None:
    published(parcel_packed())

    def sleep(event: Any) -> None:
        connection.cursor().execute("SELECT pg_sleep(20)")

    with pytest.raises(Retry):
        run(handler(sleep, limits=Limits(2)))
    assert only(handler=SORT).state == "pending"


def test_a_type_that_this_code_does_not_know_waits_uncounted_and_is_dead_after_its_grace() -> None:
    (event_id,) = published(parcel_packed())
    Event.objects.filter(pk=event_id).update(type="parcel.packed.v9")
    with pytest.raises(Retry):
        run(handler(nothing))
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.attempts) == ("pending", 0)
    Delivery.objects.filter(handler=SORT).update(waiting_since="2020-01-01T00:00:00Z")
    make_due(handler=SORT)
    with pytest.raises(UnknownType, match=r"parcel\.packed\.v9"):
        run(handler(nothing))
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("dead", "unknown_type", 0)


def test_data_that_do_not_fit_their_type_are_a_permanent_error() -> None:
    (event_id,) = published(parcel_packed())
    Event.objects.filter(pk=event_id).update(data={"parcel_id": "not an id"})
    with pytest.raises(PermanentError):
        run(handler(nothing))
    assert only(handler=SORT).reason == "permanent_error"


def test_what_a_handler_publishes_belongs_to_the_same_request() -> None:
    from events.correlation import correlated

    with correlated("request-8"):
        published(parcel_packed())

    def publish_another(event: Any) -> None:
        publish(parcel_packed())

    run(handler(publish_another))
    assert set(Event.objects.values_list("correlation_id", flat=True)) == {"request-8"}


def test_the_error_text_of_a_dead_letter_is_bounded() -> None:
    published(parcel_packed())
    with pytest.raises(PermanentError):
        run(handler(raising(PermanentError("x" * 100_000 + "\0"))))
    assert len(only(handler=SORT).error_message) == error_text.MESSAGE_LIMIT


class Unspeakable(PermanentError):
    """An error whose text fails, as that of a library may."""

    def __str__(self) -> str:
        raise KeyError("no text")


@pytest.mark.parametrize("error", [PermanentError("half a character: \udcff"), Unspeakable()])
def test_an_error_whose_text_cannot_be_kept_is_an_error_like_any_other(error: PermanentError) -> None:
    published(parcel_packed())
    with pytest.raises(PermanentError):
        run(handler(raising(error)))
    assert (only(handler=SORT).state, only(handler=SORT).reason) == ("dead", "permanent_error")


def test_a_lock_that_is_never_given_ends_the_attempt_in_time() -> None:
    published(parcel_packed())
    row = SubjectCounter.objects.create(subject=uuid4(), last=0)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            SubjectCounter.objects.select_for_update().get(pk=row.pk)
            held.set()
            release.wait(20)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)

    def touch(event: Any) -> None:
        SubjectCounter.objects.filter(pk=row.pk).update(last=1)

    with pytest.raises(Retry) as caught:
        run(handler(touch, limits=Limits(2)))
    release.set()
    thread.join(10)
    assert isinstance(caught.value.exc, OperationalError)
    assert only(handler=SORT).attempts == 1


def test_a_dependency_spell_does_not_use_up_the_grace_for_unknown_code() -> None:
    (event_id,) = published(parcel_packed())
    Delivery.objects.update(waiting_since="2020-01-01T00:00:00Z", waiting_for="dependency")
    Event.objects.filter(pk=event_id).update(type="parcel.packed.v9")
    with pytest.raises(Retry):
        run(handler(nothing))
    delivery = only(handler=SORT)
    assert (delivery.state, delivery.waiting_for) == ("pending", "code")
    assert delivery.waiting_since is not None
    assert delivery.waiting_since.year > 2020


def test_a_field_that_this_code_does_not_know_yet_is_ignored() -> None:
    (event_id,) = published(parcel_packed())
    event = Event.objects.get(pk=event_id)
    Event.objects.filter(pk=event_id).update(data=event.data | {"gift_wrap": True})
    assert run(handler(nothing)) == "done at attempt 1"


def test_a_connection_that_died_meanwhile_costs_no_lease() -> None:
    published(parcel_packed())
    delivery_id, token = claimed()
    killed: list[int] = []

    def kill(pid: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        killed.append(pid)
        connection.close()

    connection.ensure_connection()
    thread = threading.Thread(target=kill, args=[connection.connection.info.backend_pid])
    thread.start()
    thread.join(10)
    assert killed
    assert runner.run(handler(leave_a_mark), {delivery_id: token}, worker="test") == "done at attempt 1"


def say_so(event: Any) -> None:
    publish(parcel_packed(event.data.id))


@pytest.mark.parametrize("then", [leave_a_mark, say_so, lambda event: None])
def test_a_handler_that_idles_in_its_transaction_for_too_long_has_used_an_attempt(then: Callable[[Any], None]) -> None:
    published(parcel_packed())

    def ponder(event: Any) -> None:
        time.sleep(0.6)  # the transaction is over after 0.4 s
        then(event)

    with pytest.raises(Retry):
        run(handler(ponder, limits=Limits(1)))
    assert (only(handler=SORT).state, only(handler=SORT).attempts, only(handler=SORT).waits) == ("pending", 1, 0)
