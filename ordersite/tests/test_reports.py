"""What becomes of a report whose worker is one of several, is cancelled, or goes wrong."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.db.models.functions import Now

from analytics import building, files, reports, sources
from analytics.models import Report
from analytics.sources import Source
from analytics.tasks import build_report
from events import jobs
from events.errors import DependencyAway, Failure, PermanentError, classify
from events.handling import runner
from events.models import Delivery
from events.tests.helpers import claimed, make_due, only
from testing.reporting import ask, build, ready_report
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("settled_at_once", "reports_folder")]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """read(act): the report `stock` has two rows, and between them this happens."""

    def become(act: Any) -> None:
        def rows(since: datetime, until: datetime, as_of: datetime) -> Iterator[Any]:
            yield since, [["one"]]
            act()
            yield until, [["two"]]

        monkeypatch.setitem(dict_of_sources(), "stock", Source(["column"], rows))

    return become


def dict_of_sources() -> dict[str, Source]:
    found = sources.sources()
    assert isinstance(found, dict)
    return found


# --- its turns ----------------------------------------------------------------------------------------------------


def test_built_twice_it_has_one_file(sam: User, reports_folder: Path) -> None:
    report = build(ask(sam))
    again = build(report)
    assert again.file == report.file
    assert [file.name for file in reports_folder.iterdir()] == [report.file]


def test_who_lost_its_turn_stops_and_leaves_the_file_of_the_other(sam: User, read: Any, reports_folder: Path) -> None:
    report = ask(sam, "stock")
    others = [report]
    read(lambda: build(others.pop()) if others else None)
    done = build(report)
    assert done.status == "ready"
    assert [file.name for file in reports_folder.iterdir()] == [done.file]


def test_one_that_is_cancelled_meanwhile_stops_and_leaves_nothing(sam: User, read: Any, reports_folder: Path) -> None:
    report = ask(sam, "stock")
    read(lambda: reports.cancel(report.id))
    assert build(report).status == "cancelled"
    assert list(reports_folder.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_where_its_worker_ends_it_is_given_back_uncounted_and_built_later(
    sam: User, read: Any, reports_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ask(sam, "stock")
    read(lambda: None)
    monkeypatch.setattr(jobs, "_ending", bytearray(b"\1"))
    delivery, token = claimed("reports")
    with pytest.raises(Retry):
        runner.run(build_report, {delivery: token}, worker="test")
    assert (only(subject=report.id).state, only(subject=report.id).attempts) == ("pending", 0)
    assert list(reports_folder.iterdir()) == []
    monkeypatch.setattr(jobs, "_ending", bytearray(1))
    make_due(subject=report.id)
    runner.run(build_report, dict([claimed("reports")]), worker="test")
    assert Report.objects.get().status == "ready"


@pytest.mark.django_db(transaction=True)
def test_where_another_worker_has_it_the_delivery_is_not_done(sam: User, read: Any) -> None:
    report = ask(sam, "stock")
    read(lambda: reports.begin(report.id))
    with pytest.raises(Retry):
        runner.run(build_report, dict([claimed("reports")]), worker="test")
    assert (only(subject=report.id).state, only(subject=report.id).attempts) == ("pending", 0)
    assert Report.objects.get().status == "running"


def test_it_rests_after_a_chunk_and_then_looks_whether_it_is_cancelled(
    sam: User, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ask(sam, "stock")
    read(lambda: None)
    rests = []

    def cancel_meanwhile(seconds: float) -> None:
        rests.append(seconds)
        reports.cancel(report.id)

    monkeypatch.setattr("analytics.building.time.sleep", cancel_meanwhile)
    assert build(report).status == "cancelled"
    assert len(rests) == 1
    assert 0 < rests[0] <= building.LONGEST_REST


# --- what goes wrong ----------------------------------------------------------------------------------------------


@contextmanager
def nothing_written(folder: Path) -> Iterator[None]:
    with pytest.raises(PermanentError):
        yield
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_fails_it_with_words_and_leaves_nothing(
    sam: User, read: Any, reports_folder: Path, number: int
) -> None:
    def fill() -> None:
        raise OSError(number, os.strerror(number))

    report = ask(sam, "stock")
    read(fill)
    with nothing_written(reports_folder):
        build(report)
    report.refresh_from_db()
    assert (report.status, report.error) == ("failed", building.DISK_FULL)


def test_one_that_is_cancelled_while_the_disk_is_full_is_no_dead_letter(sam: User, read: Any) -> None:
    def fill() -> None:
        reports.cancel(report.id)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    report = ask(sam, "stock")
    read(fill)
    assert build(report).status == "cancelled"


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full here")
def test_a_disk_that_is_really_full_is_told_so(
    sam: User, reports_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "create", lambda name: open("/dev/full", "w", newline=""))  # noqa: SIM115, PTH123
    report = ask(sam, "stock")
    with nothing_written(reports_folder):
        build(report)
    report.refresh_from_db()
    assert (report.status, report.error) == ("failed", building.DISK_FULL)


def test_one_that_takes_too_long_fails_with_words(sam: User, read: Any, reports_folder: Path) -> None:
    def out_of_time() -> None:
        raise SoftTimeLimitExceeded

    report = ask(sam, "stock")
    read(out_of_time)
    with nothing_written(reports_folder):
        build(report)
    report.refresh_from_db()
    assert (report.status, report.error) == ("failed", building.TOO_LONG)


def test_a_kind_that_is_gone_fails_with_words(sam: User) -> None:
    report = ask(sam)
    Report.objects.update(kind="weather")
    with pytest.raises(PermanentError):
        build(report)
    report.refresh_from_db()
    assert (report.status, report.error) == ("failed", building.NO_SUCH_KIND)


def test_what_may_pass_is_tried_again_and_leaves_nothing(sam: User, read: Any, reports_folder: Path) -> None:
    def break_down() -> None:
        raise PermissionError(errno.EACCES, "not now")

    report = ask(sam, "stock")
    read(break_down)
    with pytest.raises(PermissionError) as caught:
        build(report)
    assert classify(caught.value) is Failure.TRANSIENT
    assert list(reports_folder.iterdir()) == []
    read(lambda: None)
    assert build(report).status == "ready"


def test_the_replay_of_its_dead_letter_builds_one_that_failed(sam: User) -> None:
    report = ask(sam)
    turn = reports.begin(report.id)
    assert turn
    reports.fail(turn, building.DISK_FULL)
    built = build(report)
    assert (built.status, built.error) == ("ready", "")


@pytest.mark.parametrize("state", ["dead", "discarded"])
def test_one_whose_delivery_was_given_up_is_failed_by_beat(sam: User, state: str) -> None:
    report, other = ask(sam), ask(sam)
    assert reports.begin(report.id)
    reason = "worker_lost" if state == "dead" else ""
    Delivery.objects.filter(subject=report.id).update(state=state, reason=reason, handled_at=Now(), due_at=None)
    assert reports.tidy()["given up"] == 1
    report.refresh_from_db()
    other.refresh_from_db()
    assert (report.status, report.error, other.status) == ("failed", reports.GIVEN_UP, "pending")


def test_the_files_of_killed_workers_are_removed_and_no_others(sam: User, reports_folder: Path) -> None:
    ready, report = ready_report(sam), ask(sam)
    lost, running = reports.begin(report.id), reports.begin(report.id)
    assert lost
    assert running
    for turn in (lost, running):
        files.create(turn.file).close()
    (reports_folder / "notes.csv").touch()
    assert reports.tidy()["stray files"] == 1
    assert {file.name for file in reports_folder.iterdir()} == {ready.file, running.file, "notes.csv"}


def test_the_rows_of_reports_go_some_time_after_their_end(sam: User) -> None:
    old, ready = ready_report(sam), ready_report(sam)
    Report.objects.filter(pk=old.pk).update(status="expired", file="", expires_at=Now() - timedelta(days=31))
    assert reports.purge_reports(older_than_days=30) == 1
    assert list(Report.objects.all()) == [ready]


def test_a_worker_that_ends_is_no_fault_of_the_report() -> None:
    assert issubclass(jobs.WorkerEnding, DependencyAway)


def test_progress_is_the_share_of_the_period_that_has_been_read() -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    shares = [building.share(start, start + timedelta(days=day), start + timedelta(days=10)) for day in (0, 5, 10)]
    assert shares == [0, 50, 99]
    assert building.share(start, start, start) == 99


@pytest.mark.parametrize(("worked", "pace", "rests"), [(0.2, 25, 0.6), (0.2, 100, 0.0), (0.2, 50, 0.2), (60.0, 1, 3.0)])
def test_a_report_rests_after_each_chunk(worked: float, pace: int, rests: float) -> None:
    assert building.rest(worked, pace) == pytest.approx(rests)
