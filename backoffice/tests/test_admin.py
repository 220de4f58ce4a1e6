from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory
from knox.models import AuthToken

from events.models import DeadLetter
from inventory.models import Product
from notifications.models import Notification
from orders.models import Order
from testing.admin import act, url
from testing.api import admin_client, make_user
from users.models import User

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = [
    model
    for model in MODELS
    if model._meta.app_label in ("events", "inventory", "orders", "notifications", "analytics", "ordersite")
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


def typed_into(form: Any) -> list[str]:
    """Queries that a person may send by the form of a filter."""
    typed = ("0001-01-01", "9999-12-31", "-1e400", "NaN", "nonsense")
    return ["?" + urlencode(dict.fromkeys(form.fields, text)) for text in typed]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_filter_and_column_of_a_list_works(filled: None, browser: Client, model: type[Model]) -> None:
    site = admin.site._registry[model]
    columns = ".".join(str(column) for column in range(1, len(site.list_display) + 1))
    assert browser.get(url(model, "changelist"), {"o": columns}).status_code == 200
    shown = browser.get(url(model, "changelist"))
    for spec in shown.context["cl"].filter_specs:
        for choice in spec.choices(shown.context["cl"]):
            for query in [choice["query_string"]] if "query_string" in choice else typed_into(choice["form"]):
                assert browser.get(url(model, "changelist") + query).status_code == 200, query


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
    assert act(browser, Order, "cancel", [Order.objects.get()], confirmed="1").status_code == 403
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


@pytest.mark.parametrize("name", ["New\r\nand a line", "New\x1b", "See http://x.example"])
def test_a_name_that_is_more_than_a_line_of_text_is_refused_at_the_field(browser: Client, name: str) -> None:
    ada = make_user("ada")
    for page in (url(User, "add"), url(User, "change", ada.pk)):
        answer = browser.post(page, {"email": "new@example.com", "full_name": name, "usable_password": "false"})
        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == ["full_name"]
    assert not User.objects.filter(email="new@example.com").exists()


def test_the_mail_is_shown_in_a_frame_that_runs_nothing(filled: None, browser: Client) -> None:
    page = browser.get(url(Notification, "change", Notification.objects.get().pk)).content.decode()
    assert "<iframe sandbox srcdoc=" in page
    assert "<script>alert(1)</script>" not in page


@pytest.mark.parametrize("page", ["abc", "0", "99", "", "2.5"])
def test_a_page_of_the_search_that_is_not_there_is_no_error_of_ours(browser: Client, page: str) -> None:
    assert browser.get("/admin/search/", {"s": "order"}).status_code == 200
    assert browser.get("/admin/search/", {"s": "order", "page": page}).status_code == 404
