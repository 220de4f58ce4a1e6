"""A clerk at work in the admin."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from events.tests.waiting import until
from tests.journeys import browser
from tests.journeys.client import Api
from tests.journeys.system import PASSWORD, System

SKU = "TEA-SENCHA-100"

pytestmark = pytest.mark.skipif(not browser.CHROMIUM, reason=browser.MISSING)


def test_a_clerk_filters_exports_and_finds_orders_and_cancels_one_after_being_asked(system: System, ada: Api) -> None:
    order = ada.order(SKU)
    until("it is confirmed", lambda: ada.status(order) == "confirmed")
    with browser.browse() as page:
        browser.sign_in(page, system.web, "clerk@example.com", PASSWORD)
        expect(page.get_by_role("link", name="Customers").first).to_be_visible()
        page.goto(f"{system.web}/admin/orders/order/")
        page.get_by_role("button", name="Filters", exact=True).click()
        page.get_by_label("First day").fill(f"{datetime.now(UTC):%Y-%m-%d}")
        page.get_by_label("Largest amount").fill("100000")
        page.get_by_role("button", name="Apply Filters").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Export as CSV").click()
        assert order["number"] in download.value.path().read_text(encoding="utf-8-sig")
        page.goto(f"{system.web}/admin/orders/order/?q={order['number']}")
        page.get_by_role("link", name=order["number"]).click()
        expect(page.get_by_role("cell", name="order.confirmed.v1").first).to_be_visible()
        page.get_by_role("link", name="Cancel", exact=True).click()
        assert ada.status(order) == "confirmed"
        page.get_by_role("button", name="Yes, cancel").click()
        expect(page.get_by_text("1 cancelled.")).to_be_visible()
    assert ada.status(order) == "cancelled"
