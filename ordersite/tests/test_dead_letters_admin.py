"""The pages of the dead letters. What holds for every admin page is in test_admin.py."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.html import escape

from events.letters.text import page as letter_text
from events.models import DeadLetter, Decision, Delivery, Event, Note
from events.tests.helpers import only
from testing.admin import act, bury, said, text, url
from testing.api import admin_client, make_user
from testing.shop import RECEIVED, RESERVE, a_dead_letter, make_product, place
from users.models import User

pytestmark = pytest.mark.django_db
URL = "/admin/events/deadletter/"


def test_the_first_thing_seen_is_what_went_wrong_in_groups_that_lead_to_their_letters(browser: Client) -> None:
    letters = a_dead_letter(), a_dead_letter()
    other = a_dead_letter(RESERVE)
    page = text(browser.get(URL))
    link = f"?handler={RECEIVED}&amp;fingerprint={only(pk=letters[0]).fingerprint}"
    assert link in page
    assert re.search(r"<button[^>]*>\s*Replay 2\s*</button>", page)
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
    settings.EVENTS = settings.EVENTS | {"FLOWER_URL": "https://flower.example.com"}
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
    given = {"handler": RECEIVED, "fingerprint": only(pk=letters[0]).fingerprint}
    answer = browser.post(f"{URL}replay-group/", given, follow=True)
    assert "2 of 2 will be sent again." in text(answer)
    assert [only(pk=letter).state for letter in (*letters, other)] == ["pending", "pending", "dead"]
    browser.post(f"{URL}replay-group/", {})
    assert only(pk=other).state == "dead"


@pytest.mark.parametrize(("name", "step"), [(RESERVE, "Reject the order, which"), (RECEIVED, "nothing else")])
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
    group = {"handler": RECEIVED, "fingerprint": only(pk=letter).fingerprint}
    for path, given in (
        (f"{letter}/replay/", {}),
        (f"{letter}/discard/", {"reason": "x"}),
        (f"{letter}/note/", {"text": "x"}),
        (f"{letter}/edit/", {"data": "{}", "sure": "1"}),
        ("replay-group/", group),
    ):
        assert client.post(URL + path, given).status_code == status
    assert only(pk=letter).state == "dead"


def test_nothing_is_changed_by_a_get_or_without_the_forms_token(browser: Client) -> None:
    letter = a_dead_letter()
    for path in (f"{letter}/replay/", f"{letter}/note/", "replay-group/"):
        assert browser.get(URL + path).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(email="boss@example.com"))
    check_nobody_decides(strict, letter, 403)


def test_a_letter_that_is_not_there_is_told_to_be_missing(browser: Client) -> None:
    assert browser.post(f"{URL}{uuid4()}/discard/", {"reason": "x"}).status_code == 404
    assert browser.post(f"{URL}{uuid4()}/note/", {"text": "x"}).status_code == 404
    assert browser.get(f"{URL}{uuid4()}/edit/").status_code == 404
    assert browser.get(f"{URL}{uuid4()}/change/").status_code == 302
    assert browser.get(f"{URL}nonsense/change/").status_code == 302


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


def test_a_note_is_kept_and_shown_with_who_wrote_it(browser: Client) -> None:
    letter = a_dead_letter()
    page = text(browser.post(f"{URL}{letter}/note/", {"text": "the <supplier> was asked"}, follow=True))
    assert "the &lt;supplier&gt; was asked" in page
    assert Note.objects.values_list("delivery_id", "by").get() == (letter, "boss@example.com")
    answer = browser.post(f"{URL}{letter}/note/", {"text": " "}, follow=True)
    assert "The note was not kept: This field is required." in text(answer)
    assert Note.objects.count() == 1
    assert "the <supplier> was asked" in "\n".join(letter_text(DeadLetter.objects.get(pk=letter)))


def test_a_letter_leads_to_its_order_and_to_its_log_lines(browser: Client, settings: Any) -> None:
    letter = a_dead_letter(RESERVE)
    Event.objects.update(correlation_id="a b/'c")
    subject = only(pk=letter).subject
    page = text(browser.get(f"{URL}{letter}/change/"))
    assert f'href="/admin/orders/order/{subject}/change/"' in page
    assert escape("""grep -F -- 'a b/'"'"'c' THE_LOG""") in page
    settings.EVENTS = settings.EVENTS | {"LOGS_URL": "https://logs.example.com/?q={request_id}&in=all"}
    page = text(browser.get(f"{URL}{letter}/change/"))
    assert 'href="https://logs.example.com/?q=a%20b%2F%27c&amp;in=all"' in page
    assert "THE_LOG" not in page


def test_a_letter_about_something_without_a_page_names_it(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = a_dead_letter(RESERVE)
    monkeypatch.setattr("events.subscriptions.Map.subject_page", lambda *_: None)
    page = text(browser.get(f"{URL}{letter}/change/"))
    assert str(only(pk=letter).subject) in page
    assert "/admin/orders/order/" + str(only(pk=letter).subject) not in page
