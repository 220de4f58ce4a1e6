"""What stands in a report, and what becomes of it when something goes wrong."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.db.models.functions import Now

from analytics import building, files, reports, sources
from analytics.models import Report
from analytics.sources import Source
from analytics.tasks import build_report
from analytics.tests.reporting import ask, at_once, build, folder, lines, ready_report
from events import chunks, jobs, runner
from events.errors import DependencyAway, Failure, PermanentError, classify
from events.models import Delivery
from events.tests.helpers import claimed, make_due, only
from events.tests.transactions import a_transaction
from inventory import stock
from inventory.tests.shop import make_product
from orders.models import Order, StatusChange
from orders.services import cancel_order, confirm_order, reject_order
from orders.tests.placing import place
from users.models import User
from users.tests.api import make_user

__all__ = ["at_once", "folder"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_once", "folder")]


@pytest.fixture
def sam() -> User:
    return make_user("sam", staff=True)


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


def moved(order: Order, day: date) -> None:
    """Let an order, and all of its steps, be of another day."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    Order.objects.filter(pk=order.pk).update(created_at=noon)
    StatusChange.objects.filter(order=order).update(at=noon)


# --- what stands in it --------------------------------------------------------------------------------------------


def test_orders_have_a_line_each_as_they_are(sam: User, folder: Any) -> None:
    make_product("CUP")
    make_product("POT", price="10.00")
    first, second = place(sam, CUP=2, POT=1), place(sam, CUP=1)
    assert confirm_order(second.id)
    report = build(ask(sam))
    assert (report.status, report.progress, report.rows) == ("ready", 100, 2)
    assert [
        (line["number"], line["status"], line["total"], line["lines"], line["pieces"]) for line in lines(report)
    ] == [
        (first.number, "pending", "15.00", "2", "3"),
        (second.number, "confirmed", "2.50", "1", "1"),
    ]
    assert lines(report)[0]["placed_at"].endswith("Z")
    assert report.size == (folder / report.file).stat().st_size


def test_sales_have_a_line_for_each_day_and_product(sam: User) -> None:
    make_product("CUP")
    make_product("POT", price="10.00")
    ordered: list[dict[str, int]] = [{"CUP": 1}, {"CUP": 2, "POT": 1}, {"CUP": 4}, {"POT": 3}]
    cancelled, confirmed, rejected, later = (place(sam, **quantities) for quantities in ordered)
    cancel_order(cancelled, by="customer")
    confirm_order(confirmed.id)
    reject_order(rejected.id, reason="short")
    for order in (cancelled, confirmed, rejected):
        moved(order, date(2025, 3, 1))
    moved(later, date(2025, 3, 2))
    found = lines(build(ask(sam, "sales", (date(2025, 3, 1), date(2025, 3, 31)))))
    assert [(line["day"], line["sku"], line["orders"], line["pieces"], line["amount"]) for line in found] == [
        ("2025-03-01", "CUP", "3", "7", "17.50"),
        ("2025-03-01", "POT", "1", "1", "10.00"),
        ("2025-03-02", "POT", "1", "3", "30.00"),
    ]
    cups = found[0]
    assert (cups["sold_pieces"], cups["sold_amount"]) == ("2", "5.00")
    assert (cups["rejected_pieces"], cups["cancelled_pieces"], cups["pending_pieces"]) == ("4", "1", "0")
    assert found[2]["pending_amount"] == "30.00"


def test_stock_has_a_line_for_each_movement(sam: User) -> None:
    product = make_product("CUP", pieces=10)
    stock.adjust(product, quantity=-2, reason="=HYPERLINK(broken)")
    found = lines(build(ask(sam, "stock")))
    assert [(line["sku"], line["quantity"], line["reason"]) for line in found] == [
        ("CUP", "10", "opening stock"),
        ("CUP", "-2", "'=HYPERLINK(broken)"),
    ]


@pytest.mark.parametrize("kind", ["orders", "sales", "stock"])
def test_many_chunks_tell_what_one_would(sam: User, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for sku in ("CUP", "POT", "TIN"):
        make_product(sku)
    for number in range(7):
        order = place(sam, **{"CUP": 1, ("POT", "TIN")[number % 2]: 2})
        if number % 3:
            moved(order, date(2025, 3, number))
    whole = lines(build(ask(sam, kind)))
    monkeypatch.setattr(chunks, "CHUNK", 2)
    in_parts = build(ask(sam, kind))
    assert lines(in_parts) == whole
    assert in_parts.rows == len(whole) > 2


@pytest.mark.parametrize("kind", ["orders", "sales", "stock"])
def test_a_period_has_both_its_days_and_no_others(sam: User, kind: str) -> None:
    make_product("CUP")
    first, last = date(2025, 3, 1), date(2025, 3, 31)
    for day in (first - timedelta(days=1), first, last, last + timedelta(days=1)):
        moved(place(sam, CUP=1), day)
    expected = {"orders": 2, "sales": 2, "stock": 0}
    assert len(lines(build(ask(sam, kind, (first, last))))) == expected[kind]


@pytest.mark.django_db(transaction=True)
def test_what_happens_after_its_moment_is_not_told_even_when_it_is_built_again(sam: User) -> None:
    make_product("CUP")
    order = place(sam, CUP=1)
    report = ask(sam)
    turn = reports.begin(report.id)
    assert turn
    confirm_order(order.id)
    place(sam, CUP=1)
    again = build(report)
    assert again.as_of == turn.as_of
    assert [(line["number"], line["status"]) for line in lines(again)] == [(order.number, "pending")]


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_what_is_written_and_not_yet_committed(sam: User, monkeypatch: pytest.MonkeyPatch) -> None:
    product = make_product("CUP")
    with a_transaction() as other:
        other.execute(
            "INSERT INTO inventory_movement (id, product_id, kind, quantity, reason, at)"
            " VALUES (gen_random_uuid(), %s, 'adjustment', 7, 'slow', now())",
            [product.id],
        )
        report = ask(sam, "stock")
        monkeypatch.setattr("analytics.building.time.sleep", lambda _: other.commit())  # it ends while it is waited for
        assert "slow" in [line["reason"] for line in lines(build(report))]


# --- its turns ----------------------------------------------------------------------------------------------------


def test_built_twice_it_has_one_file(sam: User, folder: Any) -> None:
    report = build(ask(sam))
    again = build(report)
    assert again.file == report.file
    assert [file.name for file in folder.iterdir()] == [report.file]


def test_who_lost_its_turn_stops_and_leaves_the_file_of_the_other(sam: User, read: Any, folder: Any) -> None:
    report = ask(sam, "stock")
    others = [report]
    read(lambda: build(others.pop()) if others else None)
    done = build(report)
    assert done.status == "ready"
    assert [file.name for file in folder.iterdir()] == [done.file]


def test_one_that_is_cancelled_meanwhile_stops_and_leaves_nothing(sam: User, read: Any, folder: Any) -> None:
    report = ask(sam, "stock")
    read(lambda: reports.cancel(report.id))
    assert build(report).status == "cancelled"
    assert list(folder.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_where_its_worker_ends_it_is_given_back_uncounted_and_built_later(
    sam: User, read: Any, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ask(sam, "stock")
    read(lambda: None)
    monkeypatch.setattr(jobs, "_ending", bytearray(b"\1"))
    delivery, token = claimed("reports")
    with pytest.raises(Retry):
        runner.run(build_report, delivery, token, worker="test")
    assert (only(subject=report.id).state, only(subject=report.id).attempts) == ("pending", 0)
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(jobs, "_ending", bytearray(1))
    make_due(subject=report.id)
    runner.run(build_report, *claimed("reports"), worker="test")
    assert Report.objects.get().status == "ready"


# --- what goes wrong ----------------------------------------------------------------------------------------------


@contextmanager
def nothing_written(folder: Any) -> Iterator[None]:
    with pytest.raises(PermanentError):
        yield
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_fails_it_with_words_and_leaves_nothing(sam: User, read: Any, folder: Any, number: int) -> None:
    def fill() -> None:
        raise OSError(number, os.strerror(number))

    report = ask(sam, "stock")
    read(fill)
    with nothing_written(folder):
        build(report)
    report.refresh_from_db()
    assert (report.status, report.error) == ("failed", building.DISK_FULL)


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full here")
def test_a_disk_that_is_really_full_is_told_so(sam: User, folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "create", lambda name: open("/dev/full", "w", newline=""))  # noqa: SIM115, PTH123
    report = ask(sam, "stock")
    with nothing_written(folder):
        build(report)
    report.refresh_from_db()
    assert (report.status, report.error) == ("failed", building.DISK_FULL)


def test_one_that_takes_too_long_fails_with_words(sam: User, read: Any, folder: Any) -> None:
    def out_of_time() -> None:
        raise SoftTimeLimitExceeded

    report = ask(sam, "stock")
    read(out_of_time)
    with nothing_written(folder):
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


def test_what_may_pass_is_tried_again_and_leaves_nothing(sam: User, read: Any, folder: Any) -> None:
    def break_down() -> None:
        raise PermissionError(errno.EACCES, "not now")

    report = ask(sam, "stock")
    read(break_down)
    with pytest.raises(PermissionError) as caught:
        build(report)
    assert classify(caught.value) is Failure.TRANSIENT
    assert list(folder.iterdir()) == []
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


def test_the_files_of_killed_workers_are_removed_and_no_others(sam: User, folder: Any) -> None:
    ready, report = ready_report(sam), ask(sam)
    lost, running = reports.begin(report.id), reports.begin(report.id)
    assert lost
    assert running
    for turn in (lost, running):
        files.create(turn.file).close()
    (folder / "notes.csv").touch()
    assert reports.tidy()["stray files"] == 1
    assert {file.name for file in folder.iterdir()} == {ready.file, running.file, "notes.csv"}


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


def test_amounts_keep_their_two_decimals(sam: User) -> None:
    make_product("CUP", price="1000.10")
    place(sam, CUP=1000)
    assert lines(build(ask(sam)))[0]["total"] == str(Decimal("1000100.00"))
