"""What happened is counted once: whatever is committed late, and however many relays count."""

from uuid import UUID

import pytest

from events import commit_horizon
from events.error_text import describe
from events.handling import failures
from events.letters import dead_letters
from events.models import Delivery, Tally, TallyMark
from events.relaying import sweeps
from events.statistics import tallies, tally
from events.statistics.tallies import Span, quantile
from events.tests.helpers import ANNOUNCE, SORT, claimed, handler, nothing, published, run, start_one
from events.tests.parcels import a_dead_letter, parcel_packed
from events.tests.servers import a_transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count from this moment, up to the moment of counting: a test looks when what it looks for is committed."""
    monkeypatch.setattr(commit_horizon, "MARGIN", 0.0)
    assert tally.advance() is False  # the first time it only begins


def counted(what: str, grain: str = "ever") -> dict[str, int]:
    """Count, and return how often this happened, by name."""
    while tally.advance():
        pass
    rows = Tally.objects.filter(what=what, grain=grain).order_by("at")
    found: dict[str, int] = {}
    for row in rows:
        found[row.name] = found.get(row.name, 0) + row.count
    return found


def test_events_and_what_was_done_are_counted_into_minute_hour_and_ever() -> None:
    published(parcel_packed(), parcel_packed())
    run(handler(nothing))
    for grain in ("minute", "hour", "ever"):
        assert counted("published", grain) == {"parcel.packed.v1": 2}
        assert counted("done", grain) == {SORT: 1}


def test_nothing_is_counted_twice() -> None:
    published(parcel_packed())
    run(handler(nothing))
    first = counted("done"), counted("published")
    assert (counted("done"), counted("published")) == first


def test_what_was_done_has_its_times_in_buckets() -> None:
    published(parcel_packed())
    Delivery.objects.filter(handler=SORT).update(created_at="2020-01-01T00:00:00Z")
    run(handler(nothing))
    counted("done")
    row = Tally.objects.get(what="done", grain="ever")
    assert row.waited is not None
    assert row.ran is not None
    assert (len(row.waited), sum(row.waited), row.waited[-1]) == (tally.BUCKETS, 1, 1)
    assert (sum(row.ran), row.ran[-1]) == (1, 0)
    assert row.waited_seconds > 86_400 > row.ran_seconds > 0


def test_buckets_of_two_counts_are_added() -> None:
    for _ in range(2):
        published(parcel_packed())
        run(handler(nothing))
        counted("done")
    row = Tally.objects.get(what="done", grain="ever")
    assert row.ran is not None
    assert sum(row.ran) == row.count == 2


def test_what_is_committed_late_is_waited_for() -> None:
    published(parcel_packed())
    with a_transaction() as other:
        delivery_id, token = claimed()
        other.execute("SELECT now()")
        start_one(delivery_id, token, worker="w", lease=30)
        other.execute(
            "UPDATE events_delivery SET state = 'done', token = NULL, lease_until = NULL,"
            " handled_at = clock_timestamp() WHERE id = %s",
            [delivery_id],
        )
        published(parcel_packed())  # commits after that was written, and before it is committed
        assert counted("done") == {}
        other.commit()
    assert counted("done") == {SORT: 1}
    assert counted("published") == {"parcel.packed.v1": 2}


def test_what_a_transaction_may_write_that_postgresql_does_not_tell_of_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commit_horizon, "MARGIN", 60.0)
    published(parcel_packed())
    assert counted("published") == {}
    with a_transaction() as other:
        other.execute("SELECT now()")
        assert counted("published") == {}
    monkeypatch.setattr(commit_horizon, "MARGIN", 0.0)
    assert counted("published") == {"parcel.packed.v1": 1}


def test_a_transaction_that_is_frozen_does_not_stop_the_counting_for_longer_than_any_may_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commit_horizon, "longest_transaction", lambda: 0)
    with a_transaction() as other:
        other.execute("SELECT now()")
        published(parcel_packed())
        assert counted("published") == {"parcel.packed.v1": 1}


def test_while_one_relay_counts_another_does_not() -> None:
    published(parcel_packed())
    with a_transaction() as other:
        other.execute("SELECT 1 FROM events_tallymark FOR UPDATE")
        assert counted("published") == {}
    assert counted("published") == {"parcel.packed.v1": 1}


def test_after_a_long_while_it_catches_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    published(parcel_packed())
    TallyMark.objects.update(until="2020-01-01T00:00:00Z")
    monkeypatch.setattr(tally, "STEP", 86_400 * 1_000)
    assert [tally.advance() for _ in range(4)] == [True, True, False, False]
    assert counted("published") == {"parcel.packed.v1": 1}


def test_failed_attempts_deaths_and_what_was_decided_are_counted() -> None:
    replayed, discarded = a_dead_letter(ANNOUNCE), a_dead_letter(ANNOUNCE)
    a_dead_letter(ANNOUNCE)
    dead_letters.replay(replayed, by="ada")  # before its death was counted
    dead_letters.discard(discarded, by="ada", reason="old")
    assert counted("failed") == {ANNOUNCE: 3}
    assert counted("dead") == {ANNOUNCE: 3}
    assert counted("replayed") == {ANNOUNCE: 1}
    assert counted("discarded") == {ANNOUNCE: 1}


def test_a_letter_that_is_replayed_after_its_death_was_counted_died_once() -> None:
    letter = a_dead_letter(ANNOUNCE)
    assert counted("dead") == {ANNOUNCE: 1}
    dead_letters.replay_all([letter], by="ada")
    assert counted("dead") == {ANNOUNCE: 1}
    assert counted("replayed") == {ANNOUNCE: 1}


def test_a_retry_is_a_failed_attempt_and_no_death() -> None:
    published(parcel_packed())
    started = start_one(*claimed(), worker="w", lease=30)
    assert started is not None
    failures.retry(started, delay=0, counted=True, error=describe(ValueError()))
    assert (counted("failed"), counted("dead")) == ({SORT: 1}, {})


def test_leases_that_run_out_are_counted() -> None:
    published(parcel_packed())
    delivery_id: UUID = claimed()[0]
    Delivery.objects.filter(pk=delivery_id).update(lease_until="2020-01-01T00:00:00Z")
    sweeps.expire_leases()
    assert counted("expired") == counted("expired", "minute") == {SORT: 1}


def test_of_a_backlog_the_highest_of_a_minute_is_kept() -> None:
    published(parcel_packed(), parcel_packed())
    tally.sample()
    Delivery.objects.filter(handler=SORT).update(due_at=None)
    tally.sample()
    rows = Tally.objects.filter(what="backlog", name="sorting", grain="hour")
    assert max(row.count for row in rows) == 2
    assert not Tally.objects.filter(what="backlog", grain="ever").exists()


def test_a_span_has_a_point_for_what_happened_in_each_step() -> None:
    published(parcel_packed())
    run(handler(nothing))
    counted("done")
    span = Span(3_600, 60, "minute")
    done = [point for point in tallies.points(span) if point.what == "done"]
    assert [(point.name, point.count) for point in done] == [(SORT, 1)]
    assert [sum(each.buckets) for each in tallies.took(span)] == [1]
    assert len(tallies.starts(span)) == span.steps == 60
    assert span.steps - 2 <= done[0].step <= span.steps - 1


@pytest.mark.parametrize(
    ("buckets", "share", "seconds"),
    [
        ([0] * tally.BUCKETS, 0.5, None),
        ([4] + [0] * (tally.BUCKETS - 1), 0.5, 0.0025),
        ([2, 2] + [0] * (tally.BUCKETS - 2), 0.75, 0.0075),
        ([0] * (tally.BUCKETS - 1) + [1], 0.99, tally.BOUNDS[-1]),
    ],
)
def test_a_quantile_lies_between_its_buckets_bounds(buckets: list[int], share: float, seconds: float | None) -> None:
    assert quantile(buckets, share) == (None if seconds is None else pytest.approx(seconds))
