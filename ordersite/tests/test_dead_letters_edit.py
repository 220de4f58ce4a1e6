"""A dead letter's data, edited in the admin."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.html import escape

from events.admin.edit import difference
from events.models import Decision
from events.tests.helpers import only
from testing.admin import said, text
from testing.api import admin_client, make_user
from testing.shop import a_dead_letter

pytestmark = pytest.mark.django_db
URL = "/admin/events/deadletter/"


def edited(letter: Any, **changes: Any) -> str:
    return json.dumps(only(pk=letter).event.data | changes)


def test_the_form_shows_the_data_and_then_what_the_edit_changes_before_anything_is_sent(browser: Client) -> None:
    letter = a_dead_letter()
    form = browser.get(f"{URL}{letter}/edit/").context["form"]
    assert json.loads(form["data"].value()) == only(pk=letter).event.data
    given = {"data": edited(letter, number="O-2"), "reason": "a slip"}
    page = text(browser.post(f"{URL}{letter}/edit/", given))
    assert page.count("changed<") == 1, "and nothing else, though PostgreSQL keeps the fields in an order of its own"
    assert not any(word in page for word in ("added<", "removed<"))
    assert "&quot;number&quot;: &quot;O-1&quot;" in page
    assert "&quot;number&quot;: &quot;O-2&quot;" in page
    assert only(pk=letter).state == "dead"
    again = text(browser.post(f"{URL}{letter}/edit/", given | {"again": "1"}))
    assert "<textarea" in again
    assert "O-2" in again
    assert only(pk=letter).state == "dead"


def test_a_confirmed_edit_is_replayed_and_the_original_stays_beside_it(browser: Client) -> None:
    letter = a_dead_letter()
    original = only(pk=letter).event.data
    given = {"data": edited(letter, number="O-2"), "reason": "a slip", "sure": "1"}
    page = text(browser.post(f"{URL}{letter}/edit/", given, follow=True))
    delivery = only(pk=letter)
    assert (delivery.state, delivery.edited_data) == ("pending", original | {"number": "O-2"})
    assert delivery.event.data == original
    assert Decision.objects.values_list("action", "by", "reason").get() == ("replay", "boss@example.com", "a slip")
    for told in ("It will be sent again, with the edited data.", "What the edit changes", "O-1", "O-2", "changed"):
        assert told in page


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("", "This field is required."),
        ('{"number": \n nonsense}', "This is not JSON: Expecting value, in line 2, column 2."),
        ("[]", "data: Input should be"),
        ('{"number": NaN}', "NaN is no number"),
        ('{"number": "\\u0000"}', "NUL character"),
        ("[" * 100_000, "This is no JSON that can be kept"),
        ("9" * 5_000, "This is no JSON that can be kept"),
    ],
)
def test_what_is_no_event_s_data_is_told_at_the_field(browser: Client, data: str, told: str) -> None:
    letter = a_dead_letter()
    answer = browser.post(f"{URL}{letter}/edit/", {"data": data, "sure": "1"})
    assert told in str(answer.context["form"].errors["data"])
    assert escape(told) in text(answer)
    assert only(pk=letter).state == "dead"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"total": "much"}, "total: "),
        ({"items": [{"sku": "A"}]}, "items.0.name: Field required"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"order_id": "0193b1c4-7f3a-7c1e-9a50-2f6d1b8e4c77"}, "may not make the event one about something else"),
        ({}, "Nothing is changed."),
    ],
)
def test_data_that_do_not_fit_the_event_are_told_at_the_field(browser: Client, changes: Any, told: str) -> None:
    letter = a_dead_letter()
    answer = browser.post(f"{URL}{letter}/edit/", {"data": edited(letter, **changes), "sure": "1"})
    assert any(told in error for error in answer.context["form"].errors["data"])
    assert only(pk=letter).state == "dead"


def test_a_letter_that_is_no_longer_dead_is_not_edited(browser: Client) -> None:
    letter = a_dead_letter()
    browser.post(f"{URL}{letter}/replay/")
    answer = browser.post(f"{URL}{letter}/edit/", {"data": edited(letter, number="O-2"), "sure": "1"}, follow=True)
    assert any("Only a dead letter" in message for message in said(answer))
    assert only(pk=letter).edited_data is None


def test_who_may_replay_may_not_edit_without_the_right_to() -> None:
    letter = a_dead_letter()
    sam = make_user("sam", staff=True)
    sam.user_permissions.set(Permission.objects.filter(codename__in=["view_deadletter", "decide_deadletter"]))
    person = admin_client(sam)
    assert person.get(f"{URL}{letter}/edit/").status_code == 403
    page = text(person.get(f"{URL}{letter}/change/"))
    assert "Discard, with a reason" in page
    assert "Edit the data" not in page


def lines(before: Any, after: Any) -> set[tuple[str, ...]]:
    return {tuple(cell.strip() for cell in line) for line in difference(before, after)}


def test_a_difference_has_words_for_what_was_changed_added_and_removed() -> None:
    assert ("changed", '"a": 1,', '"a": 2,') in lines({"a": 1, "c": 3}, {"a": 2, "c": 3})
    assert ("", '"c": 3', '"c": 3') in lines({"a": 1, "c": 3}, {"a": 2, "c": 3})
    assert ("added", "", '"b": 2') in lines({"a": 1}, {"a": 1, "b": 2})
    assert ("removed", '"b": 2', "") in lines({"a": 1, "b": 2}, {"a": 1})
