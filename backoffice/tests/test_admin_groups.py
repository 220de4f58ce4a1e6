"""What each group of staff may see and do, page by page (docs/admin.md)."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from events.models import DeadLetter, Delivery
from inventory.models import Movement, Product
from notifications.models import Notification
from orders.models import Order
from testing.admin import act, text, url
from testing.api import make_user
from users.models import User

pytestmark = pytest.mark.django_db
MODELS = {model._meta.label_lower: model for model in admin.site._registry}

ORDERS = {"orders.order", "ordersite.customer"}
STOCK = {"inventory.product", "inventory.reservation", "inventory.movement"}
MAIL = {"notifications.notification"}
SALES = {"analytics.dailysales", "analytics.dailyproductsales"}
BUS = {"events.event", "events.delivery", "events.deadletter", "events.unusablemessage"}
RESULTS = {"django_celery_results.taskresult", "django_celery_results.groupresult"}
SEES = {
    "viewer": ORDERS | STOCK | MAIL | SALES | BUS,
    "order clerk": ORDERS | MAIL | {"inventory.product"},
    "stock keeper": STOCK,
    "operator": ORDERS | MAIL | BUS | RESULTS,
    "analyst": SALES,
}
PASSWORD = "correct horse battery"


@pytest.fixture(params=SEES)
def group(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def person(group: str, filled: None, settings: Any) -> Client:
    """Somebody of the group, who has signed in by the form."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = make_user("sam", staff=True)
    user.set_password(PASSWORD)
    user.save()
    user.groups.add(Group.objects.get(name=group))
    browser = Client()
    answer = browser.post("/admin/login/", {"username": user.email, "password": PASSWORD, "next": "/admin/"})
    assert answer["Location"] == "/admin/"
    return browser


def test_a_group_sees_its_pages_and_no_others(person: Client, group: str) -> None:
    seen = {label for label, model in MODELS.items() if person.get(url(model, "changelist")).status_code == 200}
    assert seen == SEES[group]
    for label in seen:
        row = admin.site._registry[MODELS[label]].model._default_manager.first()
        page = "change" if label != "events.deadletter" else None
        if page and row:
            assert person.get(url(MODELS[label], page, row.pk)).status_code == 200, label
    letter = person.get(url(DeadLetter, "change", Delivery.objects.get(state="dead").pk))
    assert letter.status_code == (200 if "events.deadletter" in seen else 403)


def test_the_sidebar_leads_to_what_the_group_sees(person: Client, group: str) -> None:
    page = text(person.get("/admin/"))
    links = {label for label, model in MODELS.items() if f'href="{url(model, "changelist")}" class="flex' in page}
    assert links == SEES[group]


def test_sales_are_for_who_may_see_the_figures_and_reports_for_who_may_ask(person: Client, group: str) -> None:
    page = text(person.get("/admin/"))
    for path, groups in (("/admin/sales/", {"viewer", "analyst"}), ("/admin/reports/", {"analyst"})):
        assert person.get(path).status_code == (200 if group in groups else 403), path
        assert (f'href="{path}" class="flex' in page) is (group in groups), path


def test_only_stock_keepers_add_and_change_products_and_nobody_adds_what_services_write(
    person: Client, group: str
) -> None:
    adds = {label for label, model in MODELS.items() if person.get(url(model, "add")).status_code == 200}
    assert adds == ({"inventory.product"} if group == "stock keeper" else set())
    form = {"name": "Mug", "price": "2.50", "description": "", "add_pieces": "5", "reason": "found"}
    status = person.post(url(Product, "change", Product.objects.get().pk), form).status_code
    assert status == (302 if group == "stock keeper" else 403)
    assert Movement.objects.filter(reason="found").exists() is (group == "stock keeper")


@pytest.mark.parametrize("step", ["fulfil", "cancel"])
def test_only_order_clerks_move_orders_on(person: Client, group: str, step: str) -> None:
    order = Order.objects.get()
    for answer in (
        person.post(url(Order, step, order.pk), {}),
        act(person, Order, step, [order]),
    ):
        assert ("the customers get a mail" in answer.content.decode()) is (group == "order clerk")
    if group in ("viewer", "operator"):
        assert url(Order, step, order.pk) not in text(person.get(url(Order, "change", order.pk)))


def test_only_operators_decide_about_dead_letters(person: Client, group: str) -> None:
    letter = Delivery.objects.get(state="dead")
    allowed = group == "operator"
    for page in ("edit", "discard"):
        assert person.get(url(DeadLetter, page, letter.pk)).status_code == (200 if allowed else 403)
    assert person.post(url(DeadLetter, "note", letter.pk), {"text": "seen"}).status_code == (302 if allowed else 403)
    assert person.post(url(DeadLetter, "replay", letter.pk)).status_code == (302 if allowed else 403)
    letter.refresh_from_db()
    assert letter.state == ("pending" if allowed else "dead")


def test_nobody_of_these_sees_accounts_or_deletes_anything(person: Client) -> None:
    for label, model in MODELS.items():
        row = model._default_manager.first()
        assert row is not None, label
        assert person.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403, label
    assert person.get(url(User, "changelist")).status_code == 403


def make_groups() -> None:
    import_module("ordersite.migrations.0001_groups").make_groups(apps, connection.schema_editor())


def test_making_the_groups_again_leaves_what_staff_made_of_them() -> None:
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.clear()
    Group.objects.get(name="operator").delete()
    before = {group.name: group.permissions.count() for group in Group.objects.all()}
    make_groups()
    after = {group.name: group.permissions.count() for group in Group.objects.all()}
    assert after.pop("operator") > 10
    assert after == before
    assert viewer.permissions.count() == 0


def test_the_frame_of_a_mail_is_shown_to_who_may_see_mails(person: Client, group: str) -> None:
    answer = person.get(url(Notification, "change", Notification.objects.get().pk))
    assert ("<iframe sandbox srcdoc=" in answer.content.decode()) is ("notifications.notification" in SEES[group])
