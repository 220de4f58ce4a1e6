"""`make screenshots`: starts the site with demo data, and takes the pictures of README and docs, in light and dark.

Needs Chromium, and three minutes. The hour before, of which the charts tell, is made up; the orders are real ones.
"""

import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import sin
from pathlib import Path

from playwright.sync_api import Page, expect

from events.tally import BOUNDS, BUCKETS
from events.tests.waiting import until
from ordersite.local.mail import ANSWER_FILE
from tests.journeys import browser
from tests.journeys.system import PASSWORD, System
from tests.pages import ROOT

FOLDER = ROOT / "docs" / "img"
SCREEN = {"width": 1280, "height": 900}
HOSTS = """document.querySelectorAll("#ops-processes span").forEach(
    (each) => { each.textContent = each.textContent.replace(/@.*/, "@shop-1"); })"""  # whoever's machine it is made on
WIDE = 1_600  # pixels: for tables of nine columns
TALL = 1_900  # pixels: what sticks to the bottom of the screen covers nothing
PHONE = {"width": 390, "height": 844}
SKUS = ["TEA-ASSAM-100", "TEA-SENCHA-100", "CUP-PORCELAIN"]
NEVER = "554 5.7.1 no such mailbox here"
FAILING = "notifications.send_order_received"
MINUTES = 60

_PAST = """
INSERT INTO events_tally (grain, at, what, name, count, waited_seconds, ran_seconds, waited, ran)
SELECT 'minute', date_trunc('minute', now()) - make_interval(mins => %s), %s, %s, %s, %s, 0, %s::bigint[], %s::bigint[]
ON CONFLICT DO NOTHING
"""


def main() -> int:
    """Take all pictures; 1 where there is no Chromium."""
    if not browser.CHROMIUM:
        print(browser.MISSING, file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="ordersite-pictures-"))
    folder.chmod(0o755)  # PostgreSQL's user passes through
    system = System(folder)
    try:
        system.start()
        order = fill(system)
        for scheme in ("light", "dark"):
            take_all(system, scheme, order)
    finally:
        system.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def fill(system: System) -> str:
    """Make up an hour, place orders, and let a mail die; return the id of its order."""
    make_up_an_hour(system)
    ada, staff = system.person("ada"), system.person("admin")
    orders = [ada.order(random.choice(SKUS), random.randint(1, 3)) for _ in range(12)]
    until("all orders are confirmed", lambda: all(ada.status(order) == "confirmed" for order in orders), seconds=60)
    for order in orders[:4]:
        assert staff.post(f"/orders/{order['id']}/fulfil").status == 200
    assert ada.post(f"/orders/{orders[5]['id']}/cancel").status == 200
    (system.folder / ANSWER_FILE).write_text(NEVER)
    order = ada.order(SKUS[0], 2)
    until("a mail is a dead letter", lambda: system.delivery(order, FAILING)[1] == "dead", seconds=60)
    (system.folder / ANSWER_FILE).unlink()
    return str(order["id"])


def make_up_an_hour(system: System) -> None:
    """Write tallies of an hour in which about 20 orders a minute came in waves."""
    random.seed(7)
    handlers = {"inventory.reserve_items": 6, "orders.confirm": 5, "notifications.send_order_received": 25,
                "notifications.send_order_confirmed": 25, "analytics.track_order": 4}  # fmt: skip
    for minute in range(1, MINUTES):
        placed = int(20 + 9 * sin(minute / 7) + random.uniform(-4, 4))
        tally(system, minute, "published", "order.created.v1", placed)
        tally(system, minute, "published", "order.confirmed.v1", max(0, placed - minute % 3))
        tally(system, minute, "published", "order.fulfilled.v1", int(placed * 0.7))
        tally(system, minute, "published", "order.rejected.v1", int(minute % 9 == 0))
        for name, milliseconds in handlers.items():
            tally(system, minute, "done", name, placed, buckets=spread(placed, milliseconds / 1_000))
        tally(system, minute, "failed", "notifications.send_order_received", int(minute in (21, 22, 23)) * 2)
        for queue in ("inventory", "orders", "notifications", "analytics"):
            tally(system, minute, "backlog", queue, int(minute in (22, 23)) * 14 * (queue == "notifications"))


def tally(system: System, minute: int, what: str, name: str, count: int, buckets: list[int] | None = None) -> None:
    """Write what happened so many minutes ago."""
    system.sql(_PAST, minute, what, name, count, 8.0 if what == "backlog" and count else 0.0, buckets, buckets)


def spread(count: int, around: float) -> list[int]:
    """Put so many times, around so many seconds, into buckets."""
    buckets = [0] * BUCKETS
    for _ in range(count):
        seconds = random.lognormvariate(0, 0.5) * around
        buckets[sum(bound < seconds for bound in BOUNDS)] += 1
    return buckets


@contextmanager
def opened(system: System, scheme: str) -> Iterator[Page]:
    """Open a browser that is signed in, in this colour scheme."""
    with browser.browse() as page:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": SCREEN["width"], "height": SCREEN["height"]})
        browser.sign_in(page, system.web, "admin@example.com", PASSWORD)
        yield page


def take_all(system: System, scheme: str, order: str) -> None:
    """Take each picture in this colour scheme."""

    def take(name: str, part: str, before: Callable[[], object] | None = None) -> None:
        if before:
            before()
        page.locator(part).first.screenshot(path=FOLDER / f"{name}-{scheme}.png", animations="disabled")
        print(f"docs/img/{name}-{scheme}.png", flush=True)

    with opened(system, scheme) as page:
        expect(page.locator("#ops-until")).to_contain_text("is counted")
        expect(page.locator("#ops-processes .ops-up")).to_have_count(8)
        page.evaluate(HOSTS)
        take("operations", "#operations")
        page.set_viewport_size({"width": WIDE, "height": TALL})
        take("order", "#content", lambda: page.goto(f"{system.web}/admin/orders/order/{order}/change/"))
        page.set_viewport_size({"width": SCREEN["width"], "height": TALL})
        take("dead-letter", "#content", lambda: open_difference(page, system, order))
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        page.goto(f"{system.web}/admin/")
        expect(page.locator("#ops-processes .ops-up")).to_have_count(8)
        page.evaluate(HOSTS)
        page.screenshot(path=FOLDER / f"operations-phone-{scheme}.png", animations="disabled")


def open_difference(page: Page, system: System, order: str) -> None:
    """Edit the data of the dead letter, and stop where the difference is shown: nothing is written."""
    letter = system.delivery({"id": order}, FAILING)[0]
    page.goto(f"{system.web}/admin/events/deadletter/{letter}/change/")
    page.get_by_role("link", name=re.compile("^Edit")).click()
    box = page.locator("textarea[name=data]")
    data = json.loads(box.input_value())
    data["items"][0]["name"] = "Assam, first flush"
    box.fill(json.dumps(data, indent=2))
    page.get_by_role("button", name="Show what this changes").click()
    expect(page.locator("#content table")).to_contain_text("first flush")


if __name__ == "__main__":
    sys.exit(main())
