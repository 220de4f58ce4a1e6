"""A person has one account, however their address is spelt."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from backoffice.models import Customer
from notifications.models import Notification
from orders.models import Order
from testing.admin import url
from testing.api import body, client_of, pointers
from testing.shop import make_product, place
from users.models import User
from values.emails import in_ascii, normal

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hasher")]
USERS, TOKEN = "/api/v1/users", "/api/v1/auth/token"
PASSWORD = "correct horse battery"
UNICODE, PUNYCODE = "ada@bürger.de", "ada@xn--brger-kva.de"
SPELLINGS = [UNICODE, PUNYCODE, "Ada@BÜRGER.DE", "ada@bu\u0308rger.de", "ADA@XN--Brger-Kva.de", "ada@bürger\u3002de"]


def register(email: str) -> Any:
    return client_of().post(USERS, {"email": email, "password": PASSWORD})


def sign_in(email: str, password: str = PASSWORD) -> int:
    return client_of().post(TOKEN, {"email": email, "password": password}).status_code


def stored_before(email: str, password: str = PASSWORD) -> User:
    """An account whose address an earlier release has stored as it was typed."""
    user = User.objects.create_user(f"{uuid4()}@example.com", password)
    User.objects.filter(pk=user.pk).update(email=email)
    user.refresh_from_db()
    return user


@pytest.mark.parametrize("email", SPELLINGS)
def test_every_spelling_is_one_account(email: str) -> None:
    assert body(register(email))["email"] == UNICODE
    assert [pointers(register(other)) for other in SPELLINGS] == [["/email"]] * len(SPELLINGS)
    assert [sign_in(other) for other in SPELLINGS] == [200] * len(SPELLINGS)
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "expected", "ascii"),
    [
        ("Ada@Example.com", "ada@example.com", "ada@example.com"),
        ("ada@straße.de", "ada@straße.de", "ada@xn--strae-oqa.de"),  # not strasse.de, which is another domain
        ("ada@strasse.de", "ada@strasse.de", "ada@strasse.de"),
        ("ada@a_b.example.com", "ada@a_b.example.com", "ada@a_b.example.com"),  # no host name, but some have it
        ("ada@xn--a.de", "ada@xn--a.de", "ada@xn--a.de"),  # no punycode of anything
        ('"a@b"@example.com', '"a@b"@example.com', '"a@b"@example.com'),
        ("ada@[127.0.0.1]", "ada@[127.0.0.1]", "ada@[127.0.0.1]"),
        ("ada", "ada", "ada"),
        ("", "", ""),
        (
            "X@" + "e\u0301" * 200,
            ("X@" + "e\u0301" * 200).lower(),
            ("X@" + "e\u0301" * 200).lower(),
        ),  # too long for any
    ],
)
def test_what_is_no_name_of_a_host_stays_as_it_is(typed: str, expected: str, ascii: str) -> None:
    assert (normal(typed), in_ascii(typed)) == (expected, ascii)
    assert normal(expected) == expected


@pytest.mark.parametrize("stored", [PUNYCODE, UNICODE, "ada@bu\u0308rger.de"])
def test_an_account_of_an_earlier_release_is_found_under_every_spelling(
    stored: str,
) -> None:
    stored_before(stored)
    assert [sign_in(email) for email in SPELLINGS] == [200] * len(SPELLINGS)
    assert [pointers(register(email)) for email in SPELLINGS] == [["/email"]] * len(SPELLINGS)


def test_who_had_two_accounts_signs_in_to_each_with_its_own_spelling() -> None:
    stored_before(UNICODE, "password of the one")
    stored_before(PUNYCODE, "password of the other")
    assert [sign_in(UNICODE, f"password of the {which}") for which in ("one", "other")] == [200, 401]
    assert [sign_in(PUNYCODE, f"password of the {which}") for which in ("one", "other")] == [401, 200]


def form(user: User | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "email": user.email if user else "",
        "full_name": "",
        "usable_password": "false",
        "is_active": "on",
    } | fields


def test_the_admin_adds_no_second_account_for_an_address(browser: Client) -> None:
    stored_before(PUNYCODE)
    answer = browser.post(url(User, "add"), form(email=UNICODE))
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["email"]
    other = stored_before("grace@example.com")
    answer = browser.post(url(User, "change", other.pk), form(other, email=UNICODE))
    assert list(answer.context["adminform"].form.errors) == ["email"]


def test_an_account_that_shares_its_address_since_before_can_be_changed_in_the_admin(browser: Client) -> None:
    user, other = stored_before(PUNYCODE), stored_before(UNICODE)
    for one in (user, other):
        assert browser.post(url(User, "change", one.pk), form(one, full_name="Ada")).status_code == 302
    assert set(User.objects.filter(full_name="Ada").values_list("email", flat=True)) == {UNICODE, PUNYCODE}


@pytest.mark.parametrize("stored", [UNICODE, PUNYCODE])
def test_the_admin_finds_orders_mails_and_customers_by_either_spelling(browser: Client, stored: str) -> None:
    user = stored_before(stored)
    make_product("CUP")
    order = place(user, CUP=1)
    mail = Notification.objects.create(event_id=uuid4(), template="welcome", user_id=user.pk, recipient=stored)
    for model, row in ((Order, order), (Notification, mail), (Customer, user)):
        for typed in SPELLINGS:
            found = browser.get(url(model, "changelist"), {"q": typed}).context["cl"].queryset
            assert [one.pk for one in found] == [row.pk], (model, typed)


def test_the_admin_finds_people_by_what_reads_the_same(browser: Client) -> None:
    user = stored_before("ada@example.com")
    User.objects.filter(pk=user.pk).update(full_name="Ada Straße-Chloe\u0301")
    for model in (User, Customer):
        for typed in ("STRASSE", "Chloé", "ada strasse"):
            assert [one.pk for one in browser.get(url(model, "changelist"), {"q": typed}).context["cl"].queryset] == [
                user.pk
            ]
