"""`make screenshots`: starts the site with demo data, and takes the pictures of README and docs, in light and dark.

Needs Chromium, and three minutes. The hour and the month before, of which the charts tell, are made up; the orders are
real ones. `python -m tests.screenshots sales` takes only the pictures that are named so.
"""

import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import pi, sin
from pathlib import Path

from playwright.sync_api import Page, expect

from events.statistics.tally import BOUNDS, BUCKETS
from events.tests.waiting import until
from local.mail import ANSWER_FILE
from local.processes import ONE_A_QUEUE
from testing import ROOT
from tests.journeys import browser
from tests.journeys.system import PASSWORD, System

FOLDER = ROOT / "docs" / "img"
SCREEN = {"width": 1280, "height": 900}
HOSTS = """document.querySelectorAll("#ops-processes span").forEach(
    (each) => { each.textContent = each.textContent.replace(/@.*/, "@shop-1"); })"""  # whoever's machine it is made on
WIDE = 1_600  # pixels: for tables of nine columns
TALL = 1_900  # pixels: what sticks to the bottom of the screen covers nothing
PHONE = {"width": 390, "height": 844}
SKUS = ["TEA-ASSAM-100", "TEA-SENCHA-100", "CUP-PORCELAIN"]
SOLD = [*SKUS, "TEA-DARJEELING-100", "POT-GLASS-800", "TEA-JASMINE-250", "WHISK-CHASEN", "TIN-100"]
NEVER = "554 5.7.1 no such mailbox here"
FAILING = "notifications.send_order_received"
MINUTES, DAYS = 60, 30
PROCESSES = len(ONE_A_QUEUE) + 6  # and database, broker, relay, beat, gRPC, vacuum

_PAST = """
INSERT INTO events_tally (grain, at, what, name, count, waited_seconds, ran_seconds, waited, ran)
SELECT 'minute', date_trunc('minute', now()) - make_interval(mins => %s), %s, %s, %s, %s, 0, %s::bigint[], %s::bigint[]
ON CONFLICT DO NOTHING
"""

_DAY = """
INSERT INTO analytics_dailysales (day, currency, status, orders, amount)
VALUES (current_date - %s::int, 'EUR', %s, %s, %s) ON CONFLICT DO NOTHING
"""
_PRODUCT_DAY = """
INSERT INTO analytics_dailyproductsales (day, sku, currency, status, orders, quantity, amount)
VALUES (current_date - %s::int, %s, 'EUR', %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def main(wanted: Sequence[str] = ()) -> int:
    """Take all pictures, or only the wanted ones; 1 where there is no Chromium."""
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
            take_all(system, scheme, order, wanted)
    finally:
        system.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def fill(system: System) -> str:
    """Make up an hour, place orders, and let a mail die; return the id of its order."""
    make_up_an_hour(system)
    make_up_a_month(system)
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
        for queue in ("inventory", "orders", "notifications", "analytics", "reports"):
            tally(system, minute, "backlog", queue, int(minute in (22, 23)) * 14 * (queue == "notifications"))


def make_up_a_month(system: System) -> None:
    """Write sales figures of days on which about 60 orders came, more of them at weekends."""
    random.seed(7)
    for days_ago in range(1, DAYS):
        placed = int(60 + 18 * sin(days_ago / 7 * 2 * pi) + random.uniform(-6, 6))
        rejected, cancelled = random.randint(0, 3), random.randint(1, 3)
        counts = {"pending": placed, "confirmed": placed - rejected, "rejected": rejected, "cancelled": cancelled,
                  "fulfilled": placed - rejected - cancelled}  # fmt: skip
        for status, count in counts.items():
            system.sql(_DAY, days_ago, status, count, round(count * random.uniform(23, 27), 2))
        for number, sku in enumerate(SOLD):
            count = max(1, int(placed / (2 + number)))
            system.sql(_PRODUCT_DAY, days_ago, sku, "confirmed", count, 2 * count, round(17.5 * count, 2))
        if rejected:
            system.sql(_PRODUCT_DAY, days_ago, SOLD[days_ago % 4], "rejected", rejected, 2 * rejected, 49 * rejected)


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


def take_all(system: System, scheme: str, order: str, wanted: Sequence[str]) -> None:
    """Take each picture in this colour scheme, or only the wanted ones."""

    def take(name: str, part: str, before: Callable[[], object] | None = None) -> None:
        if wanted and name not in wanted:
            return
        if before:
            before()
        page.locator(part).first.screenshot(path=FOLDER / f"{name}-{scheme}.png", animations="disabled")
        print(f"docs/img/{name}-{scheme}.png", flush=True)

    with opened(system, scheme) as page:
        expect(page.locator("#ops-until")).to_contain_text("is counted")
        expect(page.locator("#ops-processes .ops-up")).to_have_count(PROCESSES)
        page.evaluate(HOSTS)
        take("operations", "#operations")
        take("sales", "#sales", lambda: look_at_sales(page, system))
        page.set_viewport_size({"width": WIDE, "height": TALL})
        take("order", "#content", lambda: page.goto(f"{system.web}/admin/orders/order/{order}/change/"))
        page.set_viewport_size({"width": SCREEN["width"], "height": TALL})
        take("dead-letter", "#content", lambda: open_difference(page, system, order))
        if wanted and "operations-phone" not in wanted:
            return
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        page.goto(f"{system.web}/admin/")
        expect(page.locator("#ops-processes .ops-up")).to_have_count(PROCESSES)
        page.evaluate(HOSTS)
        page.screenshot(path=FOLDER / f"operations-phone-{scheme}.png", animations="disabled")


def look_at_sales(page: Page, system: System) -> None:
    """Open the sales page, and wait for its figures."""
    page.goto(f"{system.web}/admin/sales/")
    expect(page.locator("#sales-until")).to_contain_text("as of")


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
    sys.exit(main(sys.argv[1:]))
