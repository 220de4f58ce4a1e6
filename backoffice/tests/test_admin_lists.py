"""What an address may ask of the admin's lists: what they declare, and nothing else."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.auth.models import Group
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Model
from django.test import Client, RequestFactory

from adminkit.filters import RangeFilter
from adminkit.lists import DeclaredList
from adminkit.pages import ModelAdmin
from analytics.models import DailySales
from backoffice.models import Customer
from inventory.models import Movement
from orders.models import Order
from testing.admin import act, said, text, url
from testing.api import admin_client, make_user
from users.models import User

pytestmark = pytest.mark.django_db
PAGES = dict(sorted(admin.site._registry.items(), key=lambda entry: entry[0]._meta.label))
EVERY_LIST = pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)
HASH = "argon2$argon2id$v=19$secret"


@pytest.fixture
def viewer(filled: None) -> Client:
    """Somebody who may view, beside a superuser with a password."""
    User.objects.filter(email="ada@example.com").update(password=HASH)
    vera = make_user("vera", staff=True)
    vera.groups.add(Group.objects.get(name="viewer"))
    return admin_client(vera)


def changelist(model: type[Model], user: User, asked: dict[str, str] | None = None) -> DeclaredList:
    request = RequestFactory().get("/", asked)
    request.user = user
    request.session = SessionBase()
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    found = PAGES[model].get_changelist_instance(request)
    assert isinstance(found, DeclaredList)
    return found


def declared(found: DeclaredList) -> set[str]:
    """The parameters that the filters of a list read."""
    of_dates = {f"{found.date_hierarchy}__{end}" for end in ("gte", "lt", "year", "month", "day")}
    return {str(name) for spec in found.filter_specs for name in spec.expected_parameters()} | of_dates


@cache
def columns(model: type[Model]) -> tuple[str, ...]:
    """The lookups of every column of every model that relations lead to, each model by its shortest way."""
    return tuple(_columns(model))


def _columns(model: type[Model]) -> Iterator[str]:
    seen, ways = {model}, [("", model)]
    while ways:
        before, of = ways.pop(0)
        for field in of._meta.get_fields():
            name = field.name if field.concrete or not hasattr(field, "field") else field.field.related_query_name()
            yield before + name
            if field.is_relation and field.related_model not in seen and isinstance(field.related_model, type):
                seen.add(field.related_model)
                ways.append((f"{before}{name}__", field.related_model))


@EVERY_LIST
def test_every_list_that_is_registered_takes_only_what_it_declares(model: type[Model]) -> None:
    page = PAGES[model]
    assert isinstance(page, ModelAdmin)
    assert issubclass(page.get_changelist(RequestFactory().get("/")), DeclaredList)


@EVERY_LIST
def test_no_column_that_a_list_does_not_declare_can_be_filtered(boss: User, model: type[Model]) -> None:
    allowed = declared(changelist(model, boss))
    tried = 0
    for column in columns(model):
        for lookup in ("", "__startswith", "__regex", "__in"):
            if column + lookup not in allowed:
                tried += 1
                assert not is_answered(model, boss, column + lookup), column + lookup
    assert tried > 20


def is_answered(model: type[Model], user: User, parameter: str) -> bool:
    try:
        return not changelist(model, user, {parameter: "a"}).problems
    except DisallowedModelAdminLookup:
        return False


def test_columns_are_those_of_related_models_too() -> None:
    assert {"password", "auth_token_set__digest", "user_permissions__codename"} <= set(columns(Customer))
    assert {"user__password", "user__auth_token_set__token_key", "lines__sku"} <= set(columns(Order))


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (Customer, {"password__startswith": "argon2"}),
        (Customer, {"password__regex": "^argon2"}),
        (Customer, {"auth_token_set__digest__regex": "^[0-9a-f]"}),
        (Customer, {"is_superuser__exact": "1"}),
        (Order, {"user__password__startswith": "argon2"}),
        (Order, {"status__startswith": "p"}),
        (Order, {"_popup": "1", "_to_field": "user"}),
        (Customer, {"_popup": "1", "_to_field": "password"}),
        (Customer, {"_to_field": "email"}),
    ],
)
def test_whoever_may_view_reads_nothing_else_by_the_address(
    viewer: Client, model: type[Model], asked: dict[str, str]
) -> None:
    assert viewer.get(url(model, "changelist"), asked).status_code == 400
    assert viewer.post(f"{url(model, 'changelist')}?{urlencode(asked)}").status_code == 400


def test_an_export_and_an_action_take_no_other_filters_either(viewer: Client, browser: Client) -> None:
    asked = {"user__password__startswith": "argon2"}
    assert viewer.get(url(Order, "export"), asked).status_code == 400
    chosen = {"action": "cancel", "_selected_action": [str(Order.objects.get().pk)], "confirmed": "1"}
    assert browser.post(f"{url(Order, 'changelist')}?{urlencode(asked)}", chosen).status_code == 400
    assert Order.objects.get().status == "pending"


@EVERY_LIST
def test_a_list_is_ordered_only_by_columns_that_it_shows(boss: User, model: type[Model]) -> None:
    shown = changelist(model, boss)
    allowed = {_name(shown.get_ordering_field(name)) for name in shown.list_display if name != "action_checkbox"}
    allowed |= {_name(part) for part in shown.get_ordering(RequestFactory().get("/"), shown.root_queryset)} | {"pk"}
    for asked in ("password", "-password", "1.password", "99", "-99", "--1", "password__startswith", "user__password"):
        assert {_name(part) for part in changelist(model, boss, {"o": asked}).queryset.query.order_by} <= allowed, asked
    for column in range(-3, 40):
        found = changelist(model, boss, {"o": str(column)}).queryset.query.order_by
        assert {_name(part) for part in found} <= allowed, column


def _name(part: Any) -> str:
    part = getattr(part, "expression", part)
    return str(getattr(part, "name", part)).lstrip("-")


@EVERY_LIST
def test_no_search_looks_into_passwords_or_beyond_the_page(model: type[Model]) -> None:
    for field in PAGES[model].search_fields:
        column = re.sub("__(exact|contains_folded)$", "", field.lstrip("=^@"))
        assert column in {each.name for each in model._meta.fields} | {"order_id", "user__email"}, column
        assert column != "password"


@pytest.mark.parametrize("typed", ["argon2", "password:argon2", "password__startswith=argon2", "^argon2", "=argon2"])
def test_a_search_does_not_find_a_password(browser: Client, viewer: Client, typed: str) -> None:
    for person, model in ((viewer, Customer), (browser, User)):
        assert person.get(url(model, "changelist"), {"q": typed}).context["cl"].result_count == 0


@EVERY_LIST
def test_an_autocomplete_is_for_those_who_may_see_the_list(viewer: Client, model: type[Model]) -> None:
    vera = User.objects.get(email="vera@example.com")
    for field in [*model._meta.fields, *model._meta.many_to_many]:
        target = field.related_model
        names = (model._meta.app_label, str(model._meta.model_name), field.name)
        asked = dict(zip(("app_label", "model_name", "field_name"), names, strict=True))
        answer = viewer.get("/admin/autocomplete/", asked | {"term": "argon2"})
        visible = isinstance(target, type) and vera.has_perm(f"{target._meta.app_label}.view_{target._meta.model_name}")
        assert answer.status_code in ((200, 403, 404) if visible else (403, 404)), field
        assert answer.status_code != 200 or answer.json()["results"] == [], field


@EVERY_LIST
def test_a_popup_hands_out_no_column_but_the_key(browser: Client, filled: None, model: type[Model]) -> None:
    for field in model._meta.fields:
        if not (field.primary_key or field.name == "id"):
            answer = browser.get(url(model, "changelist"), {"_popup": "1", "_to_field": field.name})
            assert answer.status_code == 400, field.name


# --- what cannot be read ----------------------------------------------------------------------------------------------

NO_AMOUNTS = [
    "1e999999",
    "1e99999999999999999999",
    "99,90",
    "NaN",
    "Infinity",
    "-Infinity",
    "ten",
    "\0",
    "1 0",
]
NO_DAYS = ["1e999999", "yesterday", "2025-02-30", "31.12.2025", "NaN", "Infinity", "0000-01-01", "\0", "99999-01-01"]


def test_the_lists_with_bounds_are_known() -> None:
    found = {
        (model, each[0]) for model, page in PAGES.items() for each in page.list_filter
        if isinstance(each, tuple) and issubclass(each[1], RangeFilter)
    }  # fmt: skip
    assert found == {(Order, "created_at"), (Order, "total"), (Movement, "at")}


@pytest.mark.parametrize(
    ("model", "column", "bound"),
    [
        *((Order, "total", bound) for bound in NO_AMOUNTS),
        *((Order, "created_at", bound) for bound in NO_DAYS),
        *((Movement, "at", bound) for bound in NO_DAYS),
    ],
)
@pytest.mark.parametrize("end", ["from", "to"])
def test_a_bound_that_cannot_be_read_is_an_error_on_the_page_and_no_rows(
    browser: Client, filled: None, model: type[Model], column: str, bound: str, end: str
) -> None:
    asked = {f"{column}_{end}": bound}
    answer = browser.get(url(model, "changelist"), asked)
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == 0
    assert any("so no rows are shown" in told for told in said(answer))
    assert "so no rows are shown" in text(answer)
    sent = browser.get(url(model, "export"), asked)
    assert (sent.status_code, sent.streaming) == (302, False)


def test_an_action_under_a_bound_that_cannot_be_read_moves_nothing(browser: Client, filled: None) -> None:
    chosen = {"action": "cancel", "_selected_action": [str(Order.objects.get().pk)], "confirmed": "1"}
    for across in ("0", "1"):
        for asked in ({"total_from": "99,90"}, {"total_from": "99,90", "_facets": "True"}, {"status__exact": "\0"}):
            given = chosen | {"select_across": across}
            answer = browser.post(f"{url(Order, 'changelist')}?{urlencode(asked)}", given, follow=True)
            assert any("so no rows are shown" in told for told in said(answer))
            assert Order.objects.get().status == "pending"
            del given["confirmed"]
            answer = browser.post(f"{url(Order, 'changelist')}?{urlencode(asked)}", given)
            assert (answer.status_code, answer["Location"]) == (302, f"{url(Order, 'changelist')}?{urlencode(asked)}")
    act(browser, Order, "cancel", [Order.objects.get()], confirmed="1")
    assert Order.objects.get().status == "cancelled"


def test_bounds_that_can_be_read_are_both_included(browser: Client, filled: None) -> None:
    order = Order.objects.get()
    day, total = f"{order.created_at:%Y-%m-%d}", str(order.total)
    for asked, count in (
        ({"total_from": total, "total_to": total}, 1),
        ({"total_from": f"{order.total + 1}"}, 0),
        ({"total_to": "", "total_from": ""}, 1),
        ({"created_at_from": day, "created_at_to": day}, 1),
        ({"created_at_to": "2001-01-01"}, 0),
        ({"created_at_from": "0001-01-01", "created_at_to": "9999-12-31"}, 1),
    ):
        answer = browser.get(url(Order, "changelist"), asked)
        assert (answer.context["cl"].result_count, said(answer)) == (count, []), asked


@EVERY_LIST
def test_no_filter_of_any_list_shows_rows_for_what_it_cannot_read(boss: User, filled: None, model: type[Model]) -> None:
    names = {name for name in declared(changelist(model, boss)) if not name.endswith("__isnull")}
    for name in names:
        for value in ("nonsense", "\0", "1e999999", "99999999999999999999"):
            assert not is_filled(model, boss, {name: value}), (name, value)


def is_filled(model: type[Model], user: User, asked: dict[str, str]) -> bool:
    try:
        return bool(changelist(model, user, asked).result_count)
    except DisallowedModelAdminLookup:
        return False


@pytest.mark.parametrize("asked", [{"date_done__year": "9999"}, {"date_done__year": "9999", "date_done__month": "12"}])
def test_the_last_year_of_the_calendar_is_no_error_of_ours(browser: Client, asked: dict[str, str]) -> None:
    assert browser.get("/admin/django_celery_results/taskresult/", asked).status_code == 200


def test_a_day_that_cannot_be_read_leaves_a_list_of_figures_empty_too(browser: Client, filled: None) -> None:
    answer = browser.get(url(DailySales, "changelist"), {"day__gte": "nonsense"})
    assert answer.context["cl"].result_count == 0
    assert "The value of a filter cannot be read" in " ".join(said(answer))
