"""Staff at work in the admin: an order from placed to fulfilled; a mail that fails, is edited and sent again."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from events.tests.waiting import until
from local.mail import ANSWER_FILE
from tests.journeys import browser
from tests.journeys.client import Api
from tests.journeys.system import System

SKU = "TEA-ASSAM-100"
NEVER = "554 5.7.1 no such mailbox here"
RECEIVED = "notifications.send_order_received"

pytestmark = pytest.mark.skipif(not browser.CHROMIUM, reason=browser.MISSING)

PAGES = [
    "orders/order/", "inventory/product/", "events/deadletter/", "events/delivery/", "events/event/",
    "notifications/notification/", "users/user/", "ordersite/customer/", "django_celery_results/taskresult/",
]  # fmt: skip


@pytest.fixture
def page(system: System, signed_in: Page) -> Page:
    return signed_in


def in_both_schemes(page: Page) -> list[str]:
    """What breaks a rule of accessibility in light and in dark."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found += [f"{scheme}: {violation}" for violation in browser.violations(page)]
    return found


def test_an_order_is_found_and_fulfilled(page: Page, system: System, ada: Api) -> None:
    order = ada.order(SKU, 2)
    until("it is confirmed", lambda: ada.status(order) == "confirmed")
    page.goto(f"{system.web}/admin/orders/order/")
    page.get_by_role("searchbox").or_(page.locator("[name=q]")).first.fill(order["number"])
    page.keyboard.press("Enter")
    page.get_by_role("link", name=order["number"], exact=True).click()
    expect(page.locator("#content")).to_contain_text("inventory.reserve_items")
    page.get_by_role("link", name="Fulfil", exact=True).click()
    expect(page.locator("#content")).to_contain_text("the reserved pieces leave the stock")
    assert browser.violations(page) == []
    page.get_by_role("button", name="Yes, fulfil").click()
    expect(page.get_by_text("1 fulfilled.")).to_be_visible()
    assert ada.status(order) == "fulfilled"


def test_a_mail_that_fails_for_good_is_edited_and_sent_again(page: Page, system: System, ada: Api) -> None:
    (system.folder / ANSWER_FILE).write_text(NEVER)
    order = ada.order(SKU)
    until("its mail is a dead letter", lambda: system.delivery(order, RECEIVED)[1] == "dead")
    until("so is the other", lambda: system.delivery(order, "notifications.send_order_confirmed")[1] == "dead")
    (system.folder / ANSWER_FILE).unlink()
    letter = system.delivery(order, RECEIVED)[0]
    page.goto(f"{system.web}/admin/events/deadletter/{letter}/change/")
    expect(page.locator("#content")).to_contain_text("no such mailbox here")
    page.get_by_role("link", name=re.compile("^Edit")).click()
    box = page.locator("textarea[name=data]")
    box.fill("{")
    page.get_by_role("button", name="Show what this changes").click()
    expect(page.locator("#content")).to_contain_text("This is not JSON")
    assert browser.violations(page) == []
    data = system.sql("SELECT data FROM events_event WHERE subject = %s AND type = 'order.created.v1'", order["id"])[0][
        0
    ]
    data["number"] += "-B"
    box.fill(json.dumps(data))
    page.get_by_role("button", name="Show what this changes").click()
    expect(page.locator("#content table")).to_contain_text(data["number"])
    assert browser.violations(page) == []
    page.get_by_role("button", name="Replay with these data").click()
    expect(page.get_by_text("It will be sent again, with the edited data.")).to_be_visible()
    until("it is done", lambda: system.delivery(order, RECEIVED)[1] == "done")
    assert system.mailbox.about(data["number"])
    system.run("manage.py", "deadletters", "replay", "--handler", "notifications.send_order_confirmed")


def test_a_note_is_kept_with_a_dead_letter(page: Page, system: System, ada: Api) -> None:
    (system.folder / ANSWER_FILE).write_text(NEVER)
    order = ada.order(SKU)
    until("its mail is a dead letter", lambda: system.delivery(order, RECEIVED)[1] == "dead")
    until("so is the other", lambda: system.delivery(order, "notifications.send_order_confirmed")[1] == "dead")
    (system.folder / ANSWER_FILE).unlink()
    page.goto(f"{system.web}/admin/events/deadletter/{system.delivery(order, RECEIVED)[0]}/change/")
    page.get_by_label("Add a note").fill("Ada was called; she mends her mailbox.")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator("#content")).to_contain_text("Ada was called")
    system.run("manage.py", "deadletters", "replay", "--handler", RECEIVED)
    system.run("manage.py", "deadletters", "replay", "--handler", "notifications.send_order_confirmed")


@pytest.mark.parametrize("path", ["", *PAGES])
def test_its_lists_break_no_rule_of_accessibility(page: Page, system: System, path: str) -> None:
    page.goto(f"{system.web}/admin/{path}")
    assert in_both_schemes(page) == []


@pytest.mark.parametrize(
    "table", ["orders_order", "events_delivery", "inventory_product", "notifications_notification"]
)
def test_its_pages_of_one_row_break_no_rule_of_accessibility(page: Page, system: System, ada: Api, table: str) -> None:
    order = ada.order(SKU)
    until("it is confirmed", lambda: ada.status(order) == "confirmed")
    row = system.sql(f"SELECT id::text FROM {table} ORDER BY id DESC LIMIT 1")[0][0]
    page.goto(f"{system.web}/admin/{table.replace('_', '/')}/{row}/change/")
    assert browser.violations(page) == []


def test_filters_and_actions_are_reached_by_keyboard_and_break_no_rule(page: Page, system: System, ada: Api) -> None:
    order = ada.order(SKU)
    until("it is confirmed", lambda: ada.status(order) == "confirmed")
    page.goto(f"{system.web}/admin/orders/order/")
    page.get_by_role("checkbox", name=re.compile("[Ss]elect")).nth(1).check()
    expect(page.locator("#changelist-actions")).to_be_visible()
    assert in_both_schemes(page) == []
    page.get_by_role("button", name="Filters").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#changelist-filter")).to_be_visible()
    assert in_both_schemes(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#changelist-filter")).to_be_hidden()
