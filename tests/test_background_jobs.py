"""The Python of docs/background-jobs.md is one example in parts: here it is one module, and the map in use."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from celery.exceptions import Retry
from django.conf import settings as site
from django.db.models.functions import Now

from events import jobs
from events.errors import PermanentError
from events.handling import runner
from events.models import Delivery
from events.relaying import sweeps
from events.subscriptions import the_map
from events.tests.helpers import claimed, make_due, only, start_one
from testing import ROOT, pages
from testing.shop import make_product

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "docs/background-jobs.md"
NAME = "price_lists.write"


@pytest.fixture(scope="module")
def code() -> Iterator[Any]:
    """The page's Python, as a module."""
    module = ModuleType("background_jobs")
    sys.modules[module.__name__] = module
    exec(compile(pages.code(PAGE, "python"), ROOT / PAGE, "exec"), vars(module))
    yield module
    del sys.modules[module.__name__]


@pytest.fixture
def page(code: Any, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[Any]:
    """The page's Python, deployed: its map is the map."""
    monkeypatch.setitem(site.EVENTS, "SUBSCRIPTIONS", code.__name__)
    settings.DATA_DIR = tmp_path
    the_map.cache_clear()
    yield code
    the_map.cache_clear()


def run(page: Any) -> str:
    """Claim the delivery that is due, and run it: the parts of the relay and of a worker."""
    return runner.run(page.write_price_list, dict([claimed("price_lists")]), worker="test")


def left(page: Any, list_id: UUID) -> list[str]:
    folder: Path = page.file_of(list_id).parent
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def test_what_is_asked_for_is_done_and_leaves_one_file(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "CHUNK", 2)
    for number in range(5):
        make_product(f"CUP-{number}")
    list_id = page.want_price_list()
    assert run(page) == "done at attempt 1"
    assert left(page, list_id) == [f"{list_id}.csv"]
    assert [line.split(",")[0] for line in page.file_of(list_id).read_text().splitlines()] == [
        f"CUP-{number}" for number in range(5)
    ]


def test_its_task_keeps_a_result_and_its_limits_follow_from_the_page(page: Any) -> None:
    task: Any = current_app.tasks[NAME]
    assert not task.ignore_result
    assert (task.time_limit, task.soft_time_limit) == (600, 450)
    page.want_price_list()
    assert (only(handler=NAME).lease_seconds, only(handler=NAME).max_attempts) == (30, 4)


def test_where_the_worker_ends_it_is_given_back_uncounted(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_product("CUP")
    list_id = page.want_price_list()
    monkeypatch.setattr(jobs, "_ending", bytearray(b"\1"))
    with pytest.raises(Retry):
        run(page)
    assert (only(handler=NAME).state, only(handler=NAME).attempts) == ("pending", 0)
    assert left(page, list_id) == []
    monkeypatch.setattr(jobs, "_ending", bytearray(1))
    make_due(handler=NAME)
    assert run(page) == "done at attempt 1"
    assert left(page, list_id) == [f"{list_id}.csv"]


def test_a_worker_that_is_lost_costs_a_lease_and_after_the_last_it_is_a_dead_letter(page: Any) -> None:
    page.want_price_list()
    for _ in range(4):
        delivery, token = claimed("price_lists")
        assert start_one(delivery, token, worker="lost", lease=30)
        Delivery.objects.update(lease_until=Now(), lease_seconds=0)  # its lease is over
        assert sweeps.expire_leases() == 1
    assert (only(handler=NAME).state, only(handler=NAME).reason) == ("dead", "worker_lost")


def test_what_cannot_be_done_is_a_dead_letter_that_can_be_replayed(page: Any) -> None:
    list_id = page.want_price_list()
    with pytest.raises(PermanentError, match="there are no products"):
        run(page)
    assert (only(handler=NAME).state, left(page, list_id)) == ("dead", [])
