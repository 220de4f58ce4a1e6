"""A real browser, that finds nothing but this machine."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "no Chromium here: a package of most systems, `apt-get install chromium`"
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
ALIKE = "#result_list tbody:nth-of-type(n+13)"  # the further rows of a list, each in a body of its own
SECONDS = 30  # for anything to appear, on a machine that is busy


@contextmanager
def browse() -> Iterator[Page]:
    """Open a page in a new browser; afterwards nothing may have been asked of elsewhere, and no script have failed."""
    asked: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        sandbox = os.geteuid() != 0  # Chromium has none for root
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[OFFLINE], chromium_sandbox=sandbox)
        page = browser.new_page()
        page.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        yield page
        browser.close()
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []
    assert errors == []


def sign_in(page: Page, web: str, email: str, password: str) -> None:
    """Sign in to the admin, and arrive at its first page."""
    page.goto(f"{web}/admin/")
    page.locator("[name=username]").fill(email)
    page.locator("[name=password]").fill(password)
    page.locator("[type=submit]").click()
    page.wait_for_url(f"{web}/admin/")


def chart(page: Page, name: str) -> Locator:
    return page.locator(f"[data-chart={name}]")


def drawn(figure: Locator) -> bool:
    """Tell whether a chart's canvas holds anything but its background."""
    pixels = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)"
    return bool(figure.locator("canvas").evaluate(pixels))


def fits(page: Page, width: int) -> bool:
    """Tell whether nothing of the page is wider than a screen of so many pixels."""
    return bool(page.evaluate("document.documentElement.scrollWidth") <= width)


def violations(page: Page) -> list[str]:
    """What breaks a rule of WCAG, level A or AA, as axe-core finds it: the rule, and where."""
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
    found = Axe().run(page, context={"exclude": [[ALIKE]]}, options=options).response["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]
