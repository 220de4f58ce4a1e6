"""A person reads the page on the API, signs in there and places an order, with no internet."""

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys import browser
from tests.journeys.system import PASSWORD, System

SKU = "TEA-SENCHA-100"

pytestmark = pytest.mark.skipif(not browser.CHROMIUM, reason=browser.MISSING)


def follow_step(page: Page, name: str, operation: str) -> Locator:
    """Follow one of the steps above the document to its operation."""
    page.get_by_role("link", name=name).click()
    opened = page.locator(f"#operations-{operation}")
    expect(opened.get_by_role("button", name="Execute")).to_be_visible()
    return opened


def execute(operation: Locator, body: object) -> tuple[str, str]:
    """Send this body; return the answer's status and body as the page shows them."""
    operation.locator("textarea").fill(json.dumps(body))
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response").first
    status = answer.locator(".response-col_status").inner_text().split()[0]
    return status, answer.locator(".highlight-code code").first.inner_text()


def authorize(page: Page, token: str) -> None:
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".dialog-ux")
    dialog.locator("input").fill(token)
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close").last.click()


def test_a_person_signs_in_and_places_an_order_on_the_page(system: System) -> None:
    with browser.browse() as page:
        page.goto(f"{system.web}/api/docs")
        sign_in = follow_step(page, "Sign in", "sign-in-signIn")
        status, answer = execute(sign_in, {"email": "ada@example.com", "password": PASSWORD})
        assert status == "200"
        authorize(page, json.loads(answer)["token"])
        place = follow_step(page, "Place an order", "orders-placeOrder")
        status, answer = execute(place, {"items": [{"sku": SKU, "quantity": 2}]})
        assert status == "201", answer
    order = json.loads(answer)
    assert [(line["sku"], line["quantity"]) for line in order["items"]] == [(SKU, 2)]
    assert system.sql("SELECT count(*) FROM orders_order WHERE id = %s", order["id"]) == [(1,)]
