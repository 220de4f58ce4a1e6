"""A person watches the operations page while the site runs: on a screen and a phone, in light and dark, by keyboard."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from events.tests.waiting import until
from local.processes import ONE_A_QUEUE
from tests.journeys import browser
from tests.journeys.client import Api
from tests.journeys.system import System

SKU = "TEA-ASSAM-100"
WIDTH = 390  # pixels of a phone

pytestmark = pytest.mark.skipif(not browser.CHROMIUM, reason=browser.MISSING)


@pytest.fixture
def page(system: System, signed_in: Page) -> Page:
    """The first page that staff see."""
    signed_in.goto(f"{system.web}/admin/#hour")
    signed_in.reload()
    expect(signed_in.locator("#ops-until")).to_contain_text("is counted")
    return signed_in


def placed(page: Page) -> int:
    """How many orders the chart tells of, in its words."""
    words = page.locator("[data-chart=orders] > p").inner_text()
    found = re.search(r"placed ([\d,]+)", words)
    assert found, words
    return int(found[1].replace(",", ""))


def test_the_charts_move_without_a_reload(page: Page, ada: Api) -> None:
    page.evaluate("window.notReloaded = true")
    before = placed(page)
    for _ in range(3):
        ada.order(SKU)
    until("they are counted", lambda: placed(page) >= before + 3)  # and perhaps one of an earlier test
    assert page.evaluate("window.notReloaded")
    for name in ("orders", "handled", "durations", "backlog", "oldest", "trouble"):
        assert browser.drawn(browser.chart(page, name)), name


def test_every_process_is_seen_to_be_up(page: Page) -> None:
    processes = page.locator("#ops-processes li")
    expect(processes).to_have_count(len(ONE_A_QUEUE) + 6)  # and database, broker, relay, beat, gRPC, vacuum
    expect(page.locator("#ops-processes .ops-down")).to_have_count(0)


def test_states_that_are_old_are_told_though_new_figures_come(page: Page) -> None:
    page.route("**/operations/health", lambda route: route.fulfill(body="no answer"))
    page.reload()
    told = page.locator("#ops-failed")
    expect(told).to_contain_text("No new states of processes")
    with page.expect_response("**/operations/data*"):
        pass
    page.wait_for_load_state("networkidle")
    expect(told).to_contain_text("No new states of processes")
    page.unroute("**/operations/health")
    page.reload()
    expect(page.locator("#ops-processes li")).to_have_count(len(ONE_A_QUEUE) + 6)
    expect(told).to_be_hidden()


def test_the_time_shown_is_chosen_by_keyboard_and_kept_in_the_address(page: Page) -> None:
    week = page.get_by_role("button", name="Last week")
    week.focus()
    page.keyboard.press("Enter")
    expect(week).to_have_attribute("aria-pressed", "true")
    assert page.url.endswith("#week")
    page.reload()
    expect(page.get_by_role("button", name="Last week")).to_have_attribute("aria-pressed", "true")


def test_it_can_be_paused(page: Page) -> None:
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")


def test_each_chart_is_also_a_table(page: Page) -> None:
    browser.chart(page, "orders").locator("summary").click()
    table = browser.chart(page, "orders").get_by_role("table")
    expect(table.get_by_role("columnheader", name="placed")).to_be_visible()
    expect(table.locator("tbody tr")).to_have_count(60)


def test_it_leads_to_the_dead_letters_and_to_flower(page: Page, system: System) -> None:
    controls = page.locator(".ops-controls")
    expect(controls.get_by_role("link", name="Flower")).to_have_attribute("href", system.environment["FLOWER_URL"])
    controls.get_by_role("link", name="Dead letters").click()
    expect(page).to_have_url(re.compile("/admin/events/deadletter/"))


def test_on_a_phone_nothing_is_wider_than_the_screen(page: Page) -> None:
    page.set_viewport_size({"width": WIDTH, "height": 844})
    box = page.get_by_role("button", name="Pause").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= WIDTH
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_breaks_no_rule_of_accessibility(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    browser.chart(page, "orders").locator("summary").click()
    assert browser.violations(page) == []
