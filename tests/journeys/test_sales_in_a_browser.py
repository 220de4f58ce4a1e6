"""Somebody looks at sales, asks for reports, watches, downloads and cancels them, while the site runs."""

import re
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from events.tests.waiting import until
from tests.journeys import browser
from tests.journeys.client import Api
from tests.journeys.reporting import CANCELLED_WITHIN, held
from tests.journeys.system import System

PERSON = "analyst@example.com"  # signs in
SKU = "TEA-KEEMUN-100"
WIDTH = 390  # pixels of a phone
CHARTS = ("revenue", "orders", "products", "rejections", "short")
COUNTED = """
SELECT count(*) FROM events_delivery WHERE subject = %s AND handler = 'analytics.track_order' AND state = 'done'
"""
REASON = "There is no room for the file on the site's disk."

pytestmark = pytest.mark.skipif(not browser.CHROMIUM, reason=browser.MISSING)


@pytest.fixture(scope="module")
def accepting(signed_in: Page) -> Page:
    """A browser in which every question is answered with yes."""
    signed_in.on("dialog", lambda dialog: dialog.accept())
    return signed_in


@pytest.fixture
def sales(system: System, accepting: Page) -> Page:
    accepting.goto(f"{system.web}/admin/sales/")
    expect(accepting.locator("#sales-until")).to_contain_text("as of")
    return accepting


@pytest.fixture
def desk(system: System, accepting: Page) -> Page:
    """The reports page, by way of the menu."""
    accepting.goto(f"{system.web}/admin/sales/")
    accepting.set_viewport_size({"width": 1400, "height": 900})
    accepting.locator("#nav-sidebar").get_by_role("link", name="Reports").click()
    expect(accepting).to_have_url(f"{system.web}/admin/reports/")
    expect(accepting.locator("#reports-list tr").or_(accepting.locator("#reports-none:visible")).first).to_be_visible()
    return accepting


def total(page: Page, name: str) -> Locator:
    return page.locator("#sales-totals div", has_text=name).locator("dd")


def sold(system: System, ada: Api) -> Any:
    """An order that is confirmed and stands in the figures."""
    order = ada.order(SKU, 3)
    until("it is confirmed", lambda: ada.status(order) == "confirmed")
    until("it is counted", lambda: system.sql(COUNTED, order["id"])[0][0] == 2)
    return order


def ask(page: Page, kind: str) -> Locator:
    """Ask for a report by keyboard; return its row, the newest."""
    before = page.locator("#reports-list tr").count()
    page.locator("[name=kind]").select_option(kind)
    page.locator("[name=to]").press("Enter")
    expect(page.locator("#reports-list tr")).to_have_count(before + 1)
    return page.locator("#reports-list tr").first


def test_what_was_sold_is_shown_in_charts_and_sums(system: System, ada: Api, sales: Page) -> None:
    before = int(total(sales, "Orders placed").inner_text().replace(",", ""))
    sold(system, ada)
    sales.evaluate("window.notReloaded = true")
    sales.get_by_role("button", name="Refresh").click()
    expect(total(sales, "Orders placed")).to_have_text(f"{before + 1:,}")
    expect(total(sales, "come to").first).to_contain_text("EUR")
    assert sales.evaluate("window.notReloaded")
    for name in CHARTS:
        assert browser.drawn(browser.chart(sales, name)), name
    expect(browser.chart(sales, "products").locator("> p")).to_contain_text("First: ")


def test_period_and_interval_are_chosen_by_keyboard_and_kept_in_the_address(sales: Page) -> None:
    sales.get_by_role("button", name="365 days").focus()
    sales.keyboard.press("Enter")
    month = sales.get_by_role("button", name="By month")
    expect(month).to_have_attribute("aria-pressed", "true")
    expect(sales).to_have_url(re.compile("interval=month"))
    sales.locator("[name=from]").fill(f"{datetime.now(UTC):%Y}-01-01")
    expect(sales).to_have_url(re.compile("from=....-01-01"))
    sales.reload()
    expect(sales.locator("#sales-until")).to_contain_text("-01-01 to")
    expect(sales.get_by_role("button", name="By month")).to_have_attribute("aria-pressed", "true")


def test_each_chart_is_also_a_table(sales: Page) -> None:
    for name, header, rows in (("orders", "placed", 30), ("revenue", "confirmed", 30), ("products", "total", None)):
        browser.chart(sales, name).locator("summary").click()
        table = browser.chart(sales, name).get_by_role("table")
        expect(table.get_by_role("columnheader", name=header)).to_be_visible()
        if rows:
            expect(table.locator("tbody tr")).to_have_count(rows)


def test_a_report_is_asked_for_watched_downloaded_and_removed_without_a_reload(
    system: System, ada: Api, desk: Page
) -> None:
    order = sold(system, ada)
    desk.evaluate("window.notReloaded = true")
    with held(system):
        row = ask(desk, "orders")
        expect(row.get_by_role("progressbar")).to_be_visible()
    expect(row.get_by_text("ready")).to_be_visible()
    expect(desk.locator("#reports-news")).to_contain_text("is ready to be downloaded")
    with desk.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith("orders-")
    assert order["number"] in download.value.path().read_text()
    row.get_by_role("button", name="Remove").click()
    expect(row.get_by_text("cancelled, no file")).to_be_visible()
    expect(row.get_by_role("link", name="Download")).to_have_count(0)
    assert desk.evaluate("window.notReloaded")


def test_one_that_is_being_built_is_cancelled_by_keyboard(system: System, desk: Page) -> None:
    with held(system):
        row = ask(desk, "sales")
        expect(row.get_by_role("progressbar")).to_be_visible()
        row.get_by_role("button", name="Cancel").press("Enter")
        expect(row.get_by_text("cancelled, no file")).to_be_visible()
        running = "SELECT count(*) FROM events_delivery WHERE handler = 'reports.build' AND state <> 'done'"
        until("its worker is free", lambda: not system.sql(running)[0][0], seconds=CANCELLED_WITHIN)


def test_why_one_failed_is_told(system: System, desk: Page) -> None:
    row = ask(desk, "stock")
    expect(row.get_by_text("ready")).to_be_visible()
    system.sql(
        "UPDATE analytics_report SET status = 'failed', file = '', error = %s"
        " WHERE id = (SELECT max(id::text)::uuid FROM analytics_report) RETURNING id",
        REASON,
    )
    expect(row.get_by_text(REASON)).to_be_visible()
    expect(row.get_by_role("link", name="Download")).to_have_count(0)


@pytest.mark.parametrize("which", ["sales", "desk"])
def test_on_a_phone_nothing_is_wider_than_the_screen(request: pytest.FixtureRequest, which: str) -> None:
    page: Page = request.getfixturevalue(which)
    page.set_viewport_size({"width": WIDTH, "height": 844})
    page.reload()
    expect(page.locator("#sales-totals div, #reports-list tr").first).to_be_visible()
    assert browser.fits(page, WIDTH)


@pytest.mark.parametrize("which", ["sales", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_they_break_no_rule_of_accessibility(
    request: pytest.FixtureRequest, which: str, scheme: Literal["light", "dark"]
) -> None:
    page: Page = request.getfixturevalue(which)
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("#sales-totals div, #reports-list tr").first).to_be_visible()
    for summary in page.locator(".ops summary").all():
        summary.click()
    assert browser.violations(page) == []
