"""The pages of the dead letters. What holds for every admin page is in test_admin.py."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client

from events.models import Decision
from events.tests.helpers import a_dead_letter, only
from users.models import User
from users.tests.api import admin_client, make_user

pytestmark = pytest.mark.django_db
URL = "/admin/events/deadletter/"
NAME = "notifications.send_order_received"
RESERVE = "inventory.reserve_items"


@pytest.fixture
def browser() -> Client:
    return admin_client(User.objects.create_superuser("boss@example.com"))


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_the_first_thing_seen_is_what_went_wrong_in_groups_that_lead_to_their_letters(browser: Client) -> None:
    letters = a_dead_letter(), a_dead_letter()
    other = a_dead_letter(RESERVE)
    page = text(browser.get(URL))
    link = f"?handler={NAME}&amp;fingerprint={only(pk=letters[0]).fingerprint}"
    assert link in page
    assert 'value="Replay 2"' in page
    shown = text(browser.get(URL + link.replace("&amp;", "&")))
    assert all(str(letter) in shown for letter in letters)
    assert str(other) not in shown
    assert "What went wrong" not in shown


def test_no_dead_letters_is_told(browser: Client) -> None:
    assert "No dead letters." in text(browser.get(URL))


def test_the_list_is_filtered_by_queue_handler_type_reason_and_state(browser: Client) -> None:
    one, other = a_dead_letter(RESERVE), a_dead_letter()
    browser.post(f"{URL}{other}/discard/", {"reason": "old"})
    for query, seen in (
        ("consumer=inventory", True),
        ("consumer=notifications", False),
        (f"handler={RESERVE}", True),
        ("event_type=order.created.v1", True),
        ("event_type=order.cancelled.v1", False),
        ("reason__exact=permanent_error", True),
        ("reason__exact=timed_out", False),
        ("state=discarded", False),
    ):
        page = text(browser.get(f"{URL}?{query}"))
        assert (str(one) in page) is seen, query
        assert (str(other) in page) is (query == "state=discarded"), query


def test_the_page_of_a_letter_tells_all_of_it(browser: Client, settings: Any) -> None:
    settings.FLOWER_URL = "https://flower.example.com"
    letter = a_dead_letter(RESERVE)
    page = text(browser.get(f"{URL}{letter}/change/"))
    for part in (
        "inventory.dlq",
        "bad data",
        "in break_down",
        "&quot;number&quot;: &quot;O-1&quot;",
        f'href="https://flower.example.com/task/{letter}"',
        only(pk=letter).fingerprint,
        "Failed attempts",
    ):
        assert part in page


def test_one_letter_is_replayed_on_its_page_which_then_tells_who_did(browser: Client) -> None:
    letter = a_dead_letter()
    answer = browser.post(f"{URL}{letter}/replay/")
    assert answer.status_code == 302
    assert only(pk=letter).state == "pending"
    page = text(browser.get(answer["Location"]))
    assert "1 of 1 will be sent again." in page
    assert "boss@example.com" in page
    assert "Discard, with a reason" not in page
    assert "0 of 1 will be sent again." in text(browser.post(f"{URL}{letter}/replay/", follow=True))
    assert Decision.objects.count() == 1


def test_a_group_is_replayed_and_no_other(browser: Client) -> None:
    letters = a_dead_letter(), a_dead_letter()
    other = a_dead_letter(RESERVE)
    given = {"handler": NAME, "fingerprint": only(pk=letters[0]).fingerprint}
    answer = browser.post(f"{URL}replay-group/", given, follow=True)
    assert "2 of 2 will be sent again." in text(answer)
    assert [only(pk=letter).state for letter in (*letters, other)] == ["pending", "pending", "dead"]
    browser.post(f"{URL}replay-group/", {})
    assert only(pk=other).state == "dead"


@pytest.mark.parametrize(("name", "step"), [(RESERVE, "Reject the order, which"), (NAME, "nothing else")])
def test_the_form_says_what_a_discard_does_before_it_is_done(browser: Client, name: str, step: str) -> None:
    letter = a_dead_letter(name)
    page = text(browser.get(f"{URL}{letter}/discard/"))
    assert f"{name} (1): {step}" in page
    assert "This field is required" in text(browser.post(f"{URL}{letter}/discard/", {"reason": " "}))
    assert only(pk=letter).state == "dead"
    answer = browser.post(f"{URL}{letter}/discard/", {"reason": "old"})
    assert only(pk=letter).state == "discarded"
    assert "boss@example.com" in text(browser.get(answer["Location"]))


def test_all_letters_are_discarded_when_all_are_chosen_across_pages(browser: Client) -> None:
    letters = a_dead_letter(), a_dead_letter(RESERVE)
    chosen = {"action": "discard", "select_across": "1", "_selected_action": str(letters[0])}
    asked = text(browser.post(URL, chosen))
    assert 'name="select_across" value="1"' in asked
    assert f"{RESERVE} (1): Reject the order" in asked
    browser.post(URL, {**chosen, "reason": "old"})
    assert [only(pk=letter).state for letter in letters] == ["discarded", "discarded"]


def test_who_may_look_may_not_decide(browser: Client) -> None:
    letter = a_dead_letter()
    sam = make_user("sam", staff=True)
    sam.user_permissions.add(Permission.objects.get(codename="view_deadletter"))
    watcher = admin_client(sam)
    page = text(watcher.get(f"{URL}{letter}/change/"))
    assert "in break_down" in page
    assert "Failed attempts" in page
    assert "Discard, with a reason" not in page
    assert "Replay 1" not in text(watcher.get(URL))
    check_nobody_decides(watcher, letter, 403)
    check_nobody_decides(Client(), letter, 302)


def check_nobody_decides(client: Client, letter: UUID, status: int) -> None:
    group = {"handler": NAME, "fingerprint": only(pk=letter).fingerprint}
    for path, given in ((f"{letter}/replay/", {}), (f"{letter}/discard/", {"reason": "x"}), ("replay-group/", group)):
        assert client.post(URL + path, given).status_code == status
    assert only(pk=letter).state == "dead"


def test_nothing_is_changed_by_a_get_or_without_the_forms_token(browser: Client) -> None:
    letter = a_dead_letter()
    for path in (f"{letter}/replay/", "replay-group/"):
        assert browser.get(URL + path).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(email="boss@example.com"))
    check_nobody_decides(strict, letter, 403)


def test_a_letter_that_is_not_there_is_told_to_be_missing(browser: Client) -> None:
    assert browser.post(f"{URL}{uuid4()}/discard/", {"reason": "x"}).status_code == 404
    assert browser.get(f"{URL}{uuid4()}/change/").status_code == 302
    assert browser.get(f"{URL}nonsense/change/").status_code == 302
