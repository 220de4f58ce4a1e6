from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse
from django_celery_results.models import GroupResult, TaskResult
from knox.models import AuthToken

from analytics.models import DailyProductSales, DailySales
from events.models import DeadLetter, Decision, Delivery, Event, UnusableMessage
from inventory import stock
from inventory.models import Movement, Product, StockItem
from inventory.tests.shop import counts, make_product
from notifications.models import Notification
from orders.models import Order
from orders.tests.placing import place, place_confirmed
from users.models import User
from users.tests.api import admin_client, make_user

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = [
    model
    for model in MODELS
    if model._meta.app_label in ("events", "inventory", "orders", "notifications", "analytics")
]


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss@example.com")


@pytest.fixture
def browser(boss: User) -> Client:
    return admin_client(boss)


@pytest.fixture
def filled(boss: User) -> None:
    """One row, at least, of everything that the admin shows."""
    make_product("CUP", pieces=10)
    order = place(make_user("ada"), CUP=2)
    stock.reserve(order.id, {"CUP": 2})
    bury("analytics.track_order")
    Notification.objects.create(
        event_id=uuid4(), template="welcome", user_id=boss.id, recipient="ada@example.com", subject="Welcome",
        text="Hello", html="<p>Hello</p><script>alert(1)</script>",
    )  # fmt: skip
    figures = {"day": "2025-03-01", "currency": "EUR", "status": "pending", "amount": Decimal("7.50")}
    DailySales.objects.create(orders=1, **figures)
    DailyProductSales.objects.create(sku="CUP", quantity=3, **figures)
    UnusableMessage.objects.create(
        queue="orders", worker="orders@here", problem="not_json", detail="Expecting value", raw="<script>", size=8
    )
    Group.objects.create(name="Till")
    AuthToken.objects.create(user=boss)
    TaskResult.objects.create(task_id="t-1", task_name="reports.build", status="SUCCESS")
    GroupResult.objects.create(group_id="g-1", date_created="2025-03-01T00:00:00Z", date_done="2025-03-01T00:00:00Z")


def bury(handler: str) -> Delivery:
    """Make a dead letter of the delivery of this handler."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_delivery SET state = 'dead', reason = 'permanent_error', due_at = NULL, attempts = 3,"
            " handled_at = now(),"
            " error_type = 'ValueError', error_message = 'no <such> day' WHERE handler = %s",
            [handler],
        )
    return Delivery.objects.get(handler=handler)


def url(model: type[Model], page: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def act(browser: Client, model: type[Model], action: str, rows: list[Any], **more: str) -> Any:
    given = {"action": action, "_selected_action": [str(row.pk) for row in rows]} | more
    return browser.post(url(model, "changelist"), given, follow=True)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)] or [
        str(message) for message in answer.context["messages"]
    ]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_of_every_table_opens(filled: None, browser: Client, boss: User, model: type[Model]) -> None:
    request = RequestFactory().get("/")
    request.user = boss
    assert browser.get(url(model, "changelist")).status_code == 200
    for search in ("hello", str(uuid4()), "'; --", "%", "\0"):
        assert browser.get(url(model, "changelist"), {"q": search}).status_code == 200
    row = admin.site._registry[model].get_queryset(request).first()
    assert row is not None, f"the fixture makes no {model.__name__}"
    assert browser.get(url(model, "change", row.pk)).status_code == 200
    assert browser.get(url(model, "history", row.pk)).status_code == 200
    allowed = admin.site._registry[model].has_add_permission(request)
    assert browser.get(url(model, "add")).status_code == (200 if allowed else 403)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_filter_and_column_of_a_list_works(filled: None, browser: Client, model: type[Model]) -> None:
    site = admin.site._registry[model]
    for column in range(1, len(site.list_display) + 1):
        assert browser.get(url(model, "changelist"), {"o": str(column)}).status_code == 200
    shown = browser.get(url(model, "changelist"))
    for spec in shown.context["cl"].filter_specs:
        for choice in spec.choices(shown.context["cl"]):
            assert browser.get(url(model, "changelist") + choice["query_string"]).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_nobody_deletes_what_the_books_need(filled: None, browser: Client, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row is not None
    assert browser.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [m for m in OURS if m is not Product], ids=lambda model: model._meta.label)
def test_nobody_edits_what_only_the_services_write(filled: None, browser: Client, model: type[Model]) -> None:
    rows = list(model._default_manager.order_by("pk").values())
    row = model._default_manager.filter(state="dead").first() if model is DeadLetter else model._default_manager.first()
    assert row is not None
    assert browser.post(url(model, "change", row.pk), {"status": "fulfilled", "state": "done"}).status_code == 403
    assert browser.post(url(model, "add"), {}).status_code == 403
    assert list(model._default_manager.order_by("pk").values()) == rows


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_customer_and_a_stranger_are_sent_to_the_sign_in(filled: None, model: type[Model]) -> None:
    for client in (Client(), admin_client(User.objects.get(email="ada@example.com"))):
        answer = client.get(url(model, "changelist"))
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


def test_staff_without_rights_see_nothing_and_decide_nothing(filled: None) -> None:
    browser = admin_client(make_user("sam", staff=True))
    assert browser.get("/admin/").status_code == 200
    for model in MODELS:
        assert browser.get(url(model, "changelist")).status_code == 403
    assert act(browser, Order, "cancel", [Order.objects.get()]).status_code == 403
    assert Order.objects.get().status == "pending"


def test_a_bearer_token_does_not_open_the_admin(filled: None, boss: User) -> None:
    token = AuthToken.objects.create(user=boss)[1]
    assert Client().get("/admin/", headers={"Authorization": f"Bearer {token}"}).status_code == 302


def test_admin_without_a_slash_leads_there() -> None:
    answer = Client().get("/admin")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_people_sign_in_to_the_admin_with_their_address_in_any_case(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_superuser("boss@example.com", "correct horse battery")
    given = {"username": "Boss@Example.com", "password": "correct horse battery", "next": "/admin/"}
    answer = Client().post("/admin/login/", given)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_an_account_is_added_with_its_address_in_lower_case(browser: Client, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    password = "correct horse battery"
    given = {
        "email": "New@Example.com",
        "full_name": "New",
        "usable_password": "true",
        "password1": password,
        "password2": password,
    }
    answer = browser.post(url(User, "add"), given)
    assert answer.status_code == 302, answer.content
    assert User.objects.get(email="new@example.com").check_password(password)


def test_chosen_orders_are_cancelled_and_those_that_cannot_be_are_named(browser: Client) -> None:
    make_product("CUP")
    ada = make_user("ada")
    pending, confirmed, fulfilled = place(ada, CUP=1), place_confirmed(ada, CUP=1), place_confirmed(ada, CUP=1)
    act(browser, Order, "fulfil", [fulfilled])
    answer = act(browser, Order, "cancel", [pending, confirmed, fulfilled])
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
    answer = act(browser, Order, "fulfil", [pending, confirmed])
    assert "1 fulfilled." in said(answer)
    assert dict(Order.objects.values_list("number", "status")) == {
        pending.number: "pending",
        confirmed.number: "fulfilled",
    }
    assert Delivery.objects.filter(handler="inventory.ship_items").count() == 1


def test_the_page_of_an_order_shows_its_lines_history_and_deliveries(filled: None, browser: Client) -> None:
    page = browser.get(url(Order, "change", Order.objects.get().pk)).content.decode()
    for text in ("CUP", "5.00", "order.created.v1", "analytics.track_order", "no &lt;such&gt; day"):
        assert text in page
    assert "no <such> day" not in page


def test_the_mail_is_shown_in_a_frame_that_runs_nothing(filled: None, browser: Client) -> None:
    page = browser.get(url(Notification, "change", Notification.objects.get().pk)).content.decode()
    assert "<iframe sandbox srcdoc=" in page
    assert "<script>alert(1)</script>" not in page


def product_form(**fields: Any) -> dict[str, Any]:
    return {
        "sku": "POT",
        "name": "Pot",
        "description": "",
        "price": "29.90",
        "currency": "EUR",
        "is_active": "on",
    } | fields


def test_a_product_is_added_with_its_stock(browser: Client) -> None:
    answer = browser.post(url(Product, "add"), product_form(add_pieces="12", reason="first delivery"))
    assert answer.status_code == 302
    assert counts("POT") == (12, 0)
    assert Movement.objects.values_list("quantity", "reason").get() == (12, "first delivery")


def test_a_product_may_be_added_without_stock(browser: Client) -> None:
    browser.post(url(Product, "add"), product_form(add_pieces="0"))
    assert counts("POT") == (0, 0)
    assert not Movement.objects.exists()


def test_pieces_are_booked_on_the_page_of_a_product(browser: Client) -> None:
    product = make_product("POT", pieces=10)
    stock.reserve(uuid4(), {"POT": 4})
    form = product_form(add_pieces="-6", reason="broken", price="31.00")
    assert browser.post(url(Product, "change", product.pk), form).status_code == 302
    assert counts("POT") == (4, 4)
    assert Movement.objects.latest("id").reason == "broken"
    assert Product.objects.get().price == Decimal("31.00")


def test_a_change_of_stock_needs_its_reason(browser: Client) -> None:
    product = make_product("POT", pieces=10)
    answer = browser.post(url(Product, "change", product.pk), product_form(add_pieces="5"))
    assert answer.status_code == 200
    assert "Say why the stock changes." in answer.content.decode()
    assert counts("POT") == (10, 0)


def test_what_is_reserved_cannot_be_taken_away(browser: Client) -> None:
    product = make_product("POT", pieces=10)
    stock.reserve(uuid4(), {"POT": 4})
    answer = browser.post(url(Product, "change", product.pk), product_form(add_pieces="-7", reason="lost"), follow=True)
    assert any("The stock was not changed" in message for message in said(answer))
    assert counts("POT") == (10, 4)


@pytest.mark.parametrize("pieces", ["99999999999", "-99999999999", "1e9", "1.5", "many"])
def test_pieces_that_cannot_be_are_refused_by_the_form(browser: Client, pieces: str) -> None:
    product = make_product("POT", pieces=10)
    answer = browser.post(url(Product, "change", product.pk), product_form(add_pieces=pieces, reason="x"))
    assert answer.status_code == 200
    assert "add_pieces" in answer.context["adminform"].form.errors
    assert counts("POT") == (10, 0)


def test_the_sku_and_the_currency_of_a_product_stay(browser: Client) -> None:
    product = make_product("POT")
    browser.post(url(Product, "change", product.pk), product_form(sku="OTHER", currency="CHF", name="Jug"))
    assert Product.objects.values_list("sku", "currency", "name").get() == ("POT", "EUR", "Jug")


def test_a_taken_sku_is_refused_by_the_form(browser: Client) -> None:
    make_product("POT")
    assert "sku" in browser.post(url(Product, "add"), product_form()).context["adminform"].form.errors
    assert StockItem.objects.count() == 1


def test_chosen_dead_letters_are_replayed(filled: None, browser: Client) -> None:
    letter = Delivery.objects.get(state="dead")
    shown = browser.get(url(DeadLetter, "changelist")).content.decode()
    assert "analytics.dlq" in shown
    assert "no &lt;such&gt; day" in shown
    answer = act(browser, DeadLetter, "replay", [letter])
    assert "1 of 1 will be sent again." in said(answer)
    letter.refresh_from_db()
    assert (letter.state, letter.attempts, letter.reason) == ("pending", 0, "")
    assert Decision.objects.values_list("action", "by").get() == ("replay", "boss@example.com")


def test_a_dead_letter_is_discarded_with_a_reason_that_is_asked_for(filled: None, browser: Client) -> None:
    letter = Delivery.objects.get(state="dead")
    asked = act(browser, DeadLetter, "discard", [letter])
    assert 'name="reason"' in asked.content.decode()
    letter.refresh_from_db()
    assert letter.state == "dead"
    act(browser, DeadLetter, "discard", [letter], reason="the day is over")
    letter.refresh_from_db()
    assert letter.state == "discarded"
    assert Decision.objects.values_list("action", "reason").get() == ("discard", "the day is over")


def test_an_empty_reason_discards_nothing(filled: None, browser: Client) -> None:
    letter = Delivery.objects.get(state="dead")
    answer = act(browser, DeadLetter, "discard", [letter], reason="  ")
    assert "reason" in answer.context["form"].errors
    letter.refresh_from_db()
    assert letter.state == "dead"


def test_discarding_a_reservation_rejects_the_order(browser: Client) -> None:
    make_product("CUP")
    order = place(make_user("ada"), CUP=1)
    letter = bury("inventory.reserve_items")
    act(browser, DeadLetter, "discard", [letter], reason="cannot be")
    order.refresh_from_db()
    assert order.status == "rejected"
    assert order.rejection_reason


def test_a_letter_that_is_no_longer_dead_is_passed_over(filled: None, browser: Client) -> None:
    letter = Delivery.objects.get(state="dead")
    act(browser, DeadLetter, "replay", [letter])
    act(browser, DeadLetter, "discard", [letter], reason="too late")
    letter.refresh_from_db()
    assert letter.state == "pending"
    assert Decision.objects.count() == 1
