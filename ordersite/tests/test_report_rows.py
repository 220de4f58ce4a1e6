"""What stands in a report."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from analytics import reports
from events import chunks
from events.tests.servers import a_transaction
from inventory import stock
from orders.models import Order, StatusChange
from orders.services import cancel_order, confirm_orders, reject_orders
from testing.reporting import ask, build, lines
from testing.shop import make_product, place
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("settled_at_once", "reports_folder")]


def moved(order: Order, day: date) -> None:
    """Let an order, and all of its steps, be of another day."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    Order.objects.filter(pk=order.pk).update(created_at=noon)
    StatusChange.objects.filter(order=order).update(at=noon)


def test_orders_have_a_line_each_as_they_are(sam: User, reports_folder: Path) -> None:
    make_product("CUP")
    make_product("POT", price="10.00")
    first, second = place(sam, CUP=2, POT=1), place(sam, CUP=1)
    assert confirm_orders([second.id])
    report = build(ask(sam))
    assert (report.status, report.progress, report.rows) == ("ready", 100, 2)
    assert [
        (line["number"], line["status"], line["total"], line["lines"], line["pieces"]) for line in lines(report)
    ] == [
        (first.number, "pending", "15.00", "2", "3"),
        (second.number, "confirmed", "2.50", "1", "1"),
    ]
    assert lines(report)[0]["placed_at"].endswith("Z")
    assert report.size == (reports_folder / report.file).stat().st_size


def test_sales_have_a_line_for_each_day_and_product(sam: User) -> None:
    make_product("CUP")
    make_product("POT", price="10.00")
    ordered: list[dict[str, int]] = [{"CUP": 1}, {"CUP": 2, "POT": 1}, {"CUP": 4}, {"POT": 3}]
    cancelled, confirmed, rejected, later = (place(sam, **quantities) for quantities in ordered)
    cancel_order(cancelled, by="customer")
    confirm_orders([confirmed.id])
    reject_orders({rejected.id: "short"})
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
    confirm_orders([order.id])
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


def test_amounts_keep_their_two_decimals(sam: User) -> None:
    make_product("CUP", price="1000.10")
    place(sam, CUP=1000)
    assert lines(build(ask(sam)))[0]["total"] == str(Decimal("1000100.00"))
