"""The Python of docs/coming-from-celery.md is one example in parts: here it is one module, and the map in use."""

import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery.exceptions import Retry
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from knox.models import AuthToken

from events.errors import PermanentError
from events.handlers import Handler
from events.handling import runner
from events.models import Delivery, Event
from events.publishing import NoTransaction, publish
from events.relaying import sweeps
from events.relaying.claims import claim
from events.subscriptions import the_map
from events.tests.helpers import claimed, make_due, only, start_one
from events.types import event_type
from inventory.stock import reserve
from orders.models import Order
from orders.services import confirm_orders
from testing import ROOT, pages
from testing.shop import counts, make_product, place
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "docs/coming-from-celery.md"
FORGET = "crm.forget"


@pytest.fixture(scope="module")
def code() -> Iterator[Any]:
    """The page's Python, as a module."""
    module = ModuleType("coming_from_celery")
    sys.modules[module.__name__] = module
    exec(compile(pages.code(PAGE, "python"), ROOT / PAGE, "exec"), vars(module))
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def page(code: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The page's Python, deployed: its map is the map."""
    monkeypatch.setitem(settings.EVENTS, "SUBSCRIPTIONS", code.__name__)
    the_map.cache_clear()
    yield code
    the_map.cache_clear()


class Crm(ThreadingHTTPServer):
    """The customers' system that the page's handler talks to, on a port of its own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CrmRequest)
        self.status = 204
        self.asked: list[str] = []


class CrmRequest(BaseHTTPRequestHandler):
    server: Crm

    def do_DELETE(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    with Crm() as crm:
        monkeypatch.setenv("CRM", f"127.0.0.1:{crm.server_port}")
        thread = threading.Thread(target=crm.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield crm
        crm.shutdown()
        thread.join()


@pytest.fixture
def user(page: Any) -> User:
    return User.objects.create_user("nia@example.com", "a-long-password")


@pytest.fixture
def closed(page: Any, user: User) -> User:
    """A user who has just closed the account."""
    page.close_account(user.id)
    return user


def handler(name: str) -> Handler:
    return next(h for handlers in the_map().subscriptions.values() for h in handlers if h.name == name)


def run(name: str) -> str:
    """Claim the delivery that is due to this handler, and run it: the parts of the relay and of a worker."""
    the_handler = handler(name)
    delivery_id, token = claimed(the_handler.consumer)
    return runner.run(the_handler, {delivery_id: token}, worker="test")


# --- .delay() and on_commit ---------------------------------------------------------------------------------------


def test_an_event_reaches_each_of_its_handlers_and_an_effect_is_applied(page: Any, user: User) -> None:
    AuthToken.objects.create(user)
    page.close_account(user.id)
    assert set(Delivery.objects.values_list("handler", "state")) == {
        ("access.end", "pending"),
        ("orders.cancel_open", "pending"),
        ("crm.forget", "pending"),
    }
    assert run("access.end") == "done at attempt 1"
    assert not AuthToken.objects.exists()
    assert event_type("account.closed.v1") is page.AccountClosedV1


def test_the_event_is_published_with_its_change_or_not_at_all(page: Any, user: User) -> None:
    with pytest.raises(NoTransaction):
        publish(page.AccountClosedV1(user_id=user.id))
    page.close_account(user.id)
    page.close_account(user.id)
    assert Event.objects.filter(subject=user.id).count() == 1
    assert not User.objects.get(pk=user.id).is_active


# --- autoretry_for, retry_backoff, max_retries --------------------------------------------------------------------


def test_the_crm_is_asked_with_no_transaction_open(closed: User, crm: Crm) -> None:
    assert run(FORGET) == "done at attempt 1"
    assert crm.asked == [f"/customers/{closed.id}"]


def test_any_error_is_tried_again_with_back_off_until_the_attempts_are_spent(closed: User, crm: Crm) -> None:
    crm.status = 500
    for attempt in range(1, 5):
        with pytest.raises(Retry):
            run(FORGET)
        delivery = only(handler=FORGET)
        assert (delivery.state, delivery.attempts) == ("pending", attempt)
        ceiling = 2 * 2 ** (attempt - 1)
        assert ceiling / 10 - 1 < seconds_until_due(delivery.id) <= ceiling
        make_due(handler=FORGET)
    with pytest.raises(Exception, match="the CRM says 500"):
        run(FORGET)
    assert (only(handler=FORGET).state, only(handler=FORGET).reason) == ("dead", "attempts_exhausted")


@pytest.mark.parametrize("refusing", [True, False])
def test_a_crm_that_is_away_is_waited_for_and_no_attempt_counts(
    closed: User, crm: Crm, monkeypatch: pytest.MonkeyPatch, refusing: bool
) -> None:
    crm.status = 503
    if refusing:
        monkeypatch.setenv("CRM", "127.0.0.1:1")  # nothing listens on port 1
    for _ in range(6):
        with pytest.raises(Retry):
            run(FORGET)
        make_due(handler=FORGET)
    delivery = only(handler=FORGET)
    assert (delivery.state, delivery.attempts, delivery.waiting_for) == ("pending", 0, "dependency")


def test_a_permanent_error_is_a_dead_letter_at_once(closed: User, crm: Crm) -> None:
    crm.status = 403
    with pytest.raises(PermanentError):
        run(FORGET)
    assert (only(handler=FORGET).state, only(handler=FORGET).attempts) == ("dead", 1)


# --- acks_late, reject_on_worker_lost -----------------------------------------------------------------------------


def test_what_a_lost_worker_held_is_due_again_when_its_lease_is_over(closed: User, crm: Crm) -> None:
    delivery_id, token = claimed("crm")
    limits = handler(FORGET).policy.limits
    assert start_one(delivery_id, token, worker="lost", lease=limits.lease)
    assert (sweeps.expire_leases(), claim("crm", 1)) == (0, None)
    Delivery.objects.filter(pk=delivery_id).update(lease_until=Now(), lease_seconds=0)
    assert sweeps.expire_leases() == 1
    assert run(FORGET) == "done at attempt 2"
    assert limits.lease < limits.soft < limits.hard == 60


# --- countdown and eta --------------------------------------------------------------------------------------------


def test_a_clock_that_looks_does_what_is_due_once(page: Any, user: User) -> None:
    make_product("CUP")
    old, fresh = place(user, CUP=1), place(user, CUP=1)
    Order.objects.filter(pk=old.id).update(created_at="2020-01-01T00:00:00Z")
    page.cancel_stale()
    page.cancel_stale()
    assert statuses() == {old.id: "cancelled", fresh.id: "pending"}
    assert Event.objects.filter(type="order.cancelled.v1").count() == 1
    assert [row["task"] for row in page.CELERY_BEAT_SCHEDULE.values()] == [page.cancel_stale.name]


# --- chains -------------------------------------------------------------------------------------------------------


def test_each_step_publishes_what_the_next_one_handles(page: Any, user: User) -> None:
    make_product("CUP", pieces=10)
    order = place(user, CUP=3)
    reserve({order.id: {"CUP": 3}})
    assert confirm_orders([order.id])
    page.close_account(user.id)
    assert run("orders.cancel_open") == "done at attempt 1"
    assert (statuses(), counts()) == ({order.id: "cancelled"}, (10, 3))
    assert run("inventory.release_items") == "done at attempt 1"
    assert counts() == (10, 0)


# --- task_always_eager, result back end ---------------------------------------------------------------------------


def test_the_pages_own_test_passes(page: Any) -> None:
    page.test_closing_an_account_makes_its_tokens_dead()


def test_the_deliveries_tell_how_far_things_are(page: Any, closed: User, crm: Crm) -> None:
    run("access.end")
    crm.status = 403
    with pytest.raises(PermanentError):
        run(FORGET)
    assert page.progress(closed.id) == {"access.end": "done", "crm.forget": "dead", "orders.cancel_open": "pending"}
    assert page.progress(uuid4()) == {}


# --- the page itself ----------------------------------------------------------------------------------------------


def test_the_table_links_to_sections_that_are_there_and_the_page_to_files() -> None:
    text = (ROOT / PAGE).read_text()
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)", text, re.M)}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    files = {link.partition("#")[0] for link in links if not link.startswith("#")}
    assert [name for name in files if not (ROOT / PAGE).parent.joinpath(name).exists()] == []


def statuses() -> dict[UUID, str]:
    return dict(Order.objects.values_list("id", "status"))


def seconds_until_due(delivery_id: UUID) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM events_delivery WHERE id = %s",
            [delivery_id],
        )
        row = cursor.fetchone()
    return float(row[0])
