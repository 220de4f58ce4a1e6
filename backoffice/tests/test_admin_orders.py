from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from backoffice.models import Customer
from events.models import DeadLetter, Delivery, Event
from inventory import stock
from notifications.models import Notification
from orders.models import Order
from orders.selectors import search
from testing.admin import act, bury, said, text, url
from testing.api import make_user
from testing.shop import make_product, place, place_confirmed
from users.models import User

pytestmark = pytest.mark.django_db


def test_chosen_orders_are_cancelled_and_those_that_cannot_be_are_named(browser: Client) -> None:
    make_product("CUP")
    ada = make_user("ada")
    pending, confirmed, fulfilled = place(ada, CUP=1), place_confirmed(ada, CUP=1), place_confirmed(ada, CUP=1)
    act(browser, Order, "fulfil", [fulfilled], confirmed="1")
    answer = act(browser, Order, "cancel", [pending, confirmed, fulfilled], confirmed="1")
    statuses = dict(Order.objects.values_list("number", "status"))
    assert statuses == {pending.number: "cancelled", confirmed.number: "cancelled", fulfilled.number: "fulfilled"}
    assert "2 cancelled." in said(answer)
    assert any(fulfilled.number in message for message in said(answer))
    reasons = Event.objects.filter(type="order.cancelled.v1").values_list("data__reason", flat=True)
    assert list(reasons) == ["staff", "staff"]


def test_chosen_orders_are_fulfilled(browser: Client) -> None:
    make_product("CUP")
    ada = make_user("ada")
    pending, confirmed = place(ada, CUP=1), place_confirmed(ada, CUP=1)
    answer = act(browser, Order, "fulfil", [pending, confirmed], confirmed="1")
    assert "1 fulfilled." in said(answer)
    assert dict(Order.objects.values_list("number", "status")) == {
        pending.number: "pending",
        confirmed.number: "fulfilled",
    }
    assert Delivery.objects.filter(handler="inventory.ship_items").count() == 1


def test_the_page_of_an_order_shows_its_lines_history_and_deliveries(filled: None, browser: Client) -> None:
    page = browser.get(url(Order, "change", Order.objects.get().pk)).content.decode()
    for told in ("CUP", "5.00", "order.created.v1", "analytics.track_order", "no &lt;such&gt; day"):
        assert told in page
    assert "no <such> day" not in page


@pytest.mark.parametrize("step", ["fulfil", "cancel"])
def test_nothing_is_done_to_chosen_orders_before_it_is_confirmed(browser: Client, step: str) -> None:
    make_product("CUP")
    order = place_confirmed(make_user("ada"), CUP=1)
    page = text(act(browser, Order, step, [order]))
    assert order.number in page
    assert "the customers get a mail" in page
    assert f'name="_selected_action" value="{order.pk}"' in page
    assert Order.objects.get().status == "confirmed"


@pytest.mark.parametrize(("step", "status"), [("fulfil", "fulfilled"), ("cancel", "cancelled")])
def test_one_order_is_moved_on_by_a_button_that_asks(browser: Client, step: str, status: str) -> None:
    make_product("CUP")
    order = place_confirmed(make_user("ada"), CUP=1)
    assert url(Order, step, order.pk) in text(browser.get(url(Order, "change", order.pk)))
    assert order.number in text(browser.get(url(Order, step, order.pk)))
    browser.post(url(Order, step, order.pk), {})
    assert Order.objects.get().status == "confirmed"
    answer = browser.post(url(Order, step, order.pk), {"confirmed": "1"}, follow=True)
    assert f"1 {status}." in said(answer)
    assert Order.objects.get().status == status
    page = text(browser.get(url(Order, "change", order.pk)))
    assert url(Order, "fulfil", order.pk) not in page
    assert url(Order, "cancel", order.pk) not in page
    assert any(order.number in told for told in said(browser.post(url(Order, step, order.pk), {"confirmed": "1"})))
    assert browser.get(url(Order, step, uuid4())).status_code == 404


def test_more_orders_than_one_click_may_move_are_refused(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.admin.AT_ONCE", 1)
    make_product("CUP")
    orders = [place(make_user(name), CUP=1) for name in ("ada", "bob")]
    answer = act(browser, Order, "cancel", orders, confirmed="1")
    assert "Choose at most 1 orders at once." in said(answer)
    assert not Order.objects.exclude(status="pending").exists()


def test_an_order_s_page_leads_to_its_deliveries_its_letters_its_mails_and_its_customer(browser: Client) -> None:
    make_product("CUP")
    order = place(make_user("ada"), CUP=1)
    letter = bury("analytics.track_order")
    event = Event.objects.get(type="order.created.v1")
    mail = Notification.objects.create(
        event_id=event.id, template="order_received", user_id=order.user_id, recipient="ada@example.com",
        subject="Your order", text="Hello", html="Hello",
    )  # fmt: skip
    page = text(browser.get(url(Order, "change", order.pk)))
    for link in (
        url(DeadLetter, "change", letter.pk),
        url(Delivery, "change", Delivery.objects.get(handler="inventory.reserve_items").pk),
        url(Notification, "change", mail.pk),
        url(Customer, "change", order.user_id),
    ):
        assert f'href="{link}"' in page


def test_an_order_whose_deliveries_are_purged_still_tells_its_events(browser: Client) -> None:
    make_product("CUP")
    order = place(make_user("ada"), CUP=1)
    Delivery.objects.all().delete()
    page = text(browser.get(url(Order, "change", order.pk)))
    assert "order.created.v1" in page
    assert "none, or purged" in page


def found(browser: Client, **query: str) -> set[str]:
    return {order.number for order in browser.get(url(Order, "changelist"), query).context["cl"].result_list}


def test_orders_are_found_by_number_address_sku_and_id_exactly(browser: Client) -> None:
    make_product("CUP")
    make_product("POT")
    ada, bob = make_user("ada"), make_user("bob")
    cup, pot = place(ada, CUP=1), place(bob, POT=1)
    stock.reserve({pot.id: {"POT": 1}})
    for typed in (cup.number, cup.number.lower(), " Ada@Example.com ", str(cup.id)):
        assert found(browser, q=typed) == {cup.number}, typed
    assert found(browser, q="POT") == {pot.number}
    for typed in ("O-", "ada", "example.com", "CUP", str(uuid4())):
        assert found(browser, q=typed) == set(), typed


MANY = """
INSERT INTO users_user (id, email, password, full_name, is_active, is_staff, is_superuser)
SELECT gen_random_uuid(), 'c' || n || '@example.com', '', '', true, false, false FROM generate_series(1, 500) n;
INSERT INTO inventory_product (id, sku, name, description, price, currency, is_active)
SELECT gen_random_uuid(), 'SKU-' || n, '', '', 1, 'EUR', true FROM generate_series(1, 500) n;
INSERT INTO orders_order (id, number, user_id, status, currency, total, rejection_reason, created_at, updated_at)
SELECT gen_random_uuid(), 'O-' || row_number() OVER (), id, 'pending', 'EUR', 1, '', now(), now()
FROM users_user, generate_series(1, 20);
INSERT INTO inventory_reservation (id, order_id, product_id, quantity, state)
SELECT gen_random_uuid(), o.id, p.id, 1, 'active'
FROM (SELECT id, row_number() OVER () n FROM orders_order) o
JOIN (SELECT id, row_number() OVER () n FROM inventory_product) p ON p.n = 1 + o.n % 500;
ANALYZE users_user, inventory_product, orders_order, inventory_reservation;
"""


@pytest.mark.parametrize("typed", ["O-77", "c7@example.com", "SKU-7", "0193b1c4-7f3a-7c1e-9a50-2f6d1b8e4c77"])
def test_no_search_reads_all_orders_or_reservations(typed: str) -> None:
    with connection.cursor() as cursor:
        for statement in MANY.strip().split(";\n"):
            cursor.execute(statement)
    plan = search(Order.objects.order_by("-created_at", "-id"), typed)[:100].explain()
    for walk in ("Seq Scan on orders_order", "Seq Scan on inventory_reservation", "order_newest"):
        assert walk not in plan, plan


def test_orders_are_filtered_by_status_days_and_amounts(browser: Client) -> None:
    make_product("CUP", price="2.50")
    ada = make_user("ada")
    small, large = place(ada, CUP=1), place(ada, CUP=4)
    Order.objects.filter(pk=small.pk).update(created_at="2025-03-01T23:59:59Z")
    assert found(browser, created_at_from="2025-03-01", created_at_to="2025-03-01") == {small.number}
    assert found(browser, created_at_from="2025-03-02") == {large.number}
    assert found(browser, created_at_to="2025-02-28") == set()
    assert found(browser, total_from="10") == {large.number}
    assert found(browser, total_to="9.99") == {small.number}
    assert found(browser, status__exact="confirmed") == set()


def test_a_list_counts_no_further_than_a_person_turns_its_pages(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adminkit.pages.COUNTED", 2)
    make_product("CUP")
    for _ in range(3):
        place(User.objects.get(), CUP=1)
    assert browser.get(url(Order, "changelist")).context["cl"].result_count == 2


def test_a_customer_s_page_shows_their_orders_and_not_their_rights(browser: Client) -> None:
    make_product("CUP")
    ada, bob = make_user("ada"), make_user("bob")
    order, other = place(ada, CUP=1), place(bob, CUP=1)
    page = text(browser.get(url(Customer, "change", ada.pk)))
    assert f'href="{url(Order, "change", order.pk)}"' in page
    assert other.number not in page
    assert "?q=ada%40example.com" in page
    assert "superuser" not in page.lower()
