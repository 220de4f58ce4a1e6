"""The figures are made anew from the events, exactly, whatever goes on meanwhile."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from analytics import rebuild as rebuilding
from analytics.management.commands import analytics as analytics_command
from analytics.models import DailyProductSales, DailySales
from analytics.rebuild import Busy, NotWhole, rebuild
from analytics.tasks import track_order
from events import commit_horizon
from events.handling import runner
from events.models import Delivery, Event, PurgeMark, State
from events.purge import purge_final
from events.relaying.claims import claim
from events.tests.servers import a_transaction
from orders.models import Order
from orders.services import cancel_order, confirm_orders, fulfil_order
from ordersite.settings import BASE_DIR
from testing.shop import make_product, place
from users.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("settled_at_once", "cup")]


@pytest.fixture(autouse=True)
def pot(db: None) -> None:
    make_product("POT", price="10.00")


def track() -> None:
    """Have all events counted, as the relay and the workers would."""
    while (found := claim("analytics", 100)) is not None:
        for delivery in found.deliveries:
            runner.run(track_order, {delivery.id: delivery.token}, worker="test")


def a_busy_day(user: User) -> list[Order]:
    """Orders of all kinds, none of them counted yet."""
    orders = [place(user, CUP=number, POT=1) for number in (1, 2, 3)]
    for order in orders[1:]:
        confirm_orders([order.id])
    fulfil_order(orders[1])
    cancel_order(orders[2], by="staff")
    return orders


def figures() -> tuple[Any, ...]:
    return (
        set(DailySales.objects.values_list("day", "currency", "status", "orders", "amount")),
        set(DailyProductSales.objects.values_list("day", "sku", "currency", "status", "orders", "quantity", "amount")),
    )


def today() -> date:
    return datetime.now(UTC).date()


def again(**options: Any) -> list[Any]:
    return list(rebuild(today(), settled=options.pop("settled", timezone.now()), **options))


def spoil() -> None:
    """Make the figures wrong in each way: a row too high, one too many, one missing."""
    DailySales.objects.filter(status="pending").update(orders=99)
    DailySales.objects.filter(status="cancelled").delete()
    DailyProductSales.objects.create(day=today(), sku="NONE", currency="EUR", status="pending", quantity=1, amount=1)


def command(*arguments: str) -> str:
    output = StringIO()
    call_command("analytics", "rebuild", *arguments, stdout=output)
    return output.getvalue()


def test_what_the_handlers_kept_is_what_the_events_say(ada: User) -> None:
    a_busy_day(ada)
    track()
    assert figures()[0]
    assert again() == []


def test_figures_that_are_wrong_are_put_right_and_told(ada: User) -> None:
    a_busy_day(ada)
    track()
    right = figures()
    spoil()
    differences = again()
    assert figures() == right
    assert {difference.key[1:] for difference in differences} == {
        ("EUR", "pending"),
        ("EUR", "cancelled"),
        ("NONE", "EUR", "pending"),
    }
    assert again() == []


def test_out_of_order_and_given_twice_the_events_make_the_same_figures(ada: User) -> None:
    a_busy_day(ada)
    while (found := claim("analytics", 1, newest=True)) is not None:
        (delivery,) = found.deliveries
        assert runner.run(track_order, {delivery.id: delivery.token}, worker="test").startswith("done")
        for _ in range(3):
            assert runner.run(track_order, {delivery.id: delivery.token}, worker="test").startswith("stale")
    assert again() == []


def test_a_dead_letter_counts_once_it_is_replayed_and_not_before(ada: User) -> None:
    orders = a_busy_day(ada)
    letters = Delivery.objects.filter(subject=orders[0].id, handler="analytics.track_order")
    letters.update(state=State.DEAD, reason="permanent_error", handled_at=timezone.now(), due_at=None)
    track()
    assert again() == []
    letters.update(state=State.PENDING, reason="", handled_at=None, due_at=timezone.now())
    track()
    assert again() == []
    assert DailySales.objects.get(status="pending").orders == 3


def test_an_edited_letter_counts_as_it_was_edited(ada: User) -> None:
    order = place(ada, CUP=1)
    event = Event.objects.get(subject=order.id)
    Delivery.objects.filter(handler="analytics.track_order").update(edited_data=event.data | {"total": "7.00"})
    track()
    assert again() == []
    assert str(DailySales.objects.get().amount) == "7.00"


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """between(act): this happens after the events are read, and before the figures are compared."""

    def arrange(act: Callable[[], None]) -> None:
        read = rebuilding._read

        def read_then_act(*arguments: Any) -> Any:
            found = read(*arguments)
            act()
            return found

        monkeypatch.setattr(rebuilding, "_read", read_then_act)

    return arrange


def test_what_is_counted_while_it_is_made_anew_is_in_it_once(ada: User, between: Any) -> None:
    a_busy_day(ada)
    first = claim("analytics", 1)
    assert first
    runner.run(track_order, {first.deliveries[0].id: first.deliveries[0].token}, worker="test")

    def traffic() -> None:
        confirm_orders([place(ada, POT=2).id])
        track()

    between(traffic)
    assert again() == []
    spoil()
    assert len(again()) == 3  # one more order comes meanwhile
    assert DailySales.objects.get(status="pending").orders == 5
    assert DailySales.objects.get(status="confirmed").orders == 4


def test_events_are_read_in_chunks(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "CHUNK", 2)
    a_busy_day(ada)
    track()
    assert again() == []


def test_a_day_whose_done_deliveries_are_purged_is_made_anew_from_its_events(ada: User) -> None:
    a_busy_day(ada)
    track()
    right = figures()
    old = timedelta(days=41)
    Event.objects.update(time=F("time") - old)
    tracked = Delivery.objects.filter(handler="analytics.track_order")
    tracked.update(handled_at=F("handled_at") - old)
    assert purge_final(older_than_days=40) == Event.objects.count()  # kept for less than is set now
    Delivery.objects.all().delete()
    for event in Event.objects.all():  # their ids begin with the time, and are as old
        moved = UUID(int=event.id.int - (int(old.total_seconds() * 1000) << 80))
        Event.objects.filter(pk=event.id).update(id=moved)
    DailySales.objects.update(day=today() - old)
    DailyProductSales.objects.update(day=today() - old)
    assert rebuild(today() - old, settled=timezone.now()) == []
    DailySales.objects.all().delete()
    assert len(rebuild(today() - old, settled=timezone.now())) == len(right[0])


def test_a_young_event_that_the_handler_never_had_is_left_to_a_backfill(ada: User) -> None:
    place(ada, CUP=1)
    Delivery.objects.filter(handler="analytics.track_order").delete()
    assert again() == []
    assert not DailySales.objects.exists()


def purged(what: str, days_ago: int) -> None:
    PurgeMark.objects.create(what=what, until=timezone.now() - timedelta(days=days_ago))


def test_days_whose_events_are_purged_are_refused_whatever_is_set_now(ada: User) -> None:
    purged("events", 100)
    with pytest.raises(NotWhole, match="EVENTS_KEEP_DAYS"):
        rebuild(today() - timedelta(days=100), settled=timezone.now())
    assert rebuild(today() - timedelta(days=99), settled=timezone.now()) == []
    DailySales.objects.create(day=today() - timedelta(days=200), currency="EUR", status="pending", orders=1)
    assert "those stay as they are" in command()
    assert DailySales.objects.get().orders == 1
    with pytest.raises(CommandError, match="EVENTS_KEEP_DAYS"):
        command("--from", str(today() - timedelta(days=200)))


def test_the_command_goes_through_all_days_and_says_whether_they_match(ada: User) -> None:
    a_busy_day(ada)
    track()
    assert command() == "1 days: the figures and the events match\n"
    spoil()
    with pytest.raises(CommandError, match="3 figures of 1 days did not match; nothing was changed"):
        command("--check")
    told = command()
    assert f"dailysales {today()} EUR pending: 99 / " in told
    assert told.endswith("3 figures of 1 days did not match; now they do\n")
    assert command("--check") == "1 days: the figures and the events match\n"


def test_without_any_figures_or_events_there_is_nothing_to_do() -> None:
    assert command() == "0 days: the figures and the events match\n"


def test_days_whose_deliveries_are_purged_stay_as_they_are_unless_they_are_named(ada: User) -> None:
    purged("deliveries", 90)
    old = today() - timedelta(days=100)
    DailySales.objects.create(day=old, currency="EUR", status="pending", orders=1)
    assert "those stay as they are" in command()
    assert DailySales.objects.get().orders == 1
    told = command("--from", str(old), "--to", str(old))
    assert "every event counts, with its own data" in told
    assert not DailySales.objects.exists()


def test_days_that_end_before_they_begin_are_refused(ada: User) -> None:
    a_busy_day(ada)
    with pytest.raises(CommandError, match="is before --from"):
        command("--from", str(today()), "--to", str(today() - timedelta(days=1)), "--check")


def test_nobody_writes_figures_while_they_are_compared(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def try_to_write(left: Any) -> Any:
        with a_transaction() as other, pytest.raises(LockNotAvailable):
            other.execute("LOCK TABLE analytics_dailysales IN ROW EXCLUSIVE MODE NOWAIT")
        refused.append(True)
        return []

    monkeypatch.setattr(rebuilding, "_done_since", try_to_write)
    a_busy_day(ada)
    assert again() == []
    assert refused


def test_where_figures_are_being_written_it_waits_for_a_moment_and_says_so(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(analytics_command, "TRIES", 2)
    monkeypatch.setattr(commit_horizon, "longest_transaction", lambda: 0)  # the other's is not waited for
    a_busy_day(ada)
    with a_transaction() as other:
        other.execute("LOCK TABLE analytics_dailysales IN ROW EXCLUSIVE MODE")
        with pytest.raises(Busy):
            again()
        with pytest.raises(CommandError, match="without a pause; try again"):
            command()


def test_only_the_purge_reads_how_long_something_is_kept() -> None:
    """Who has to know what is gone reads the mark: the setting may have been another."""
    setting = re.compile(r"""["']KEEP_(DONE_)?DAYS["'][])]""")
    ours = (path.relative_to(BASE_DIR) for path in BASE_DIR.glob("*/**/*.py"))
    ours = (path for path in ours if not {"tests", "testing", ".venv"} & set(path.parts))
    found = {str(path) for path in ours if setting.search((BASE_DIR / path).read_text())}
    assert found == {"events/tasks.py", "events/purge.py", "analytics/reports.py"}  # the last: of reports' files
