import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from prometheus_client.parser import text_string_to_metric_families

from events.models import Delivery, UnusableMessage
from events.operations import availability, metrics
from events.operations.processes import processes
from events.tests.helpers import due_since, published
from events.tests.servers import read_only_database, server_setting
from events.tests.waiting import until
from ordersite import health
from testing.api import check_problem, client_of
from testing.processes import COMPLETE
from testing.shop import order_created

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/metrics"


@contextmanager
def a_commit_that_waits() -> Iterator[None]:
    """Place an order while the synchronous standby is away."""

    def order() -> None:
        try:
            published(order_created())
        finally:
            connection.close()

    thread = threading.Thread(target=order)
    with server_setting("synchronous_standby_names", "nobody"):
        thread.start()
        yield
    thread.join()


def test_a_commit_that_waits_for_the_standby_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "COMMIT_LATE", 0)
    with a_commit_that_waits():
        until("it waits", lambda: scrape()["ordersite_commit_wait_seconds"] > 0)
        assert availability.COMMITS_WAIT in str(health.readiness()[1]["detail"])
        assert availability.COMMITS_WAIT in processes()[0].detail
        assert scrape()["ordersite_database_takes_writes"] == 0
    assert scrape()["ordersite_commit_wait_seconds"] == 0
    assert Delivery.objects.exists()


def test_a_read_only_database_is_told() -> None:
    assert scrape()["ordersite_database_takes_writes"] == 1
    with read_only_database():
        assert scrape()["ordersite_database_takes_writes"] == 0


def scrape(**headers: str) -> dict[str, float]:
    """Each sample by its name and its queue."""
    answer = client_of().get(PATH, headers=headers)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.content.decode())
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def test_it_tells_what_waits() -> None:
    published(order_created())
    published(order_created())
    due_since(75, queue="inventory")
    Delivery.objects.filter(queue="analytics").update(
        state="dead", reason="permanent_error", due_at=None, handled_at=Now()
    )
    UnusableMessage.objects.create(queue="orders", worker="w", problem="not_json", raw="x", size=1)
    seen = scrape()
    assert 75 <= seen["ordersite_oldest_due_seconds inventory"] < 80
    assert seen["ordersite_oldest_due_seconds orders"] == 0
    assert seen["ordersite_backlog_deliveries inventory"] == 2
    assert seen["ordersite_dead_letters analytics"] == 2
    assert seen["ordersite_dead_letters inventory"] == 0
    assert seen["ordersite_unusable_messages"] == 1
    assert seen["ordersite_broker_up"] == 1


def test_what_never_happened_is_there_with_zero_so_that_the_first_is_an_increase() -> None:
    seen = scrape()
    assert seen["ordersite_events_published_total order.cancelled.v1"] == 0
    for name in ("deliveries_total {} dead", "failed_attempts_total {}", "lease_expiries_total {}"):
        assert seen[f"ordersite_{name.format('inventory.reserve_items')}"] == 0
    assert seen["ordersite_delivery_seconds_bucket orders.confirm +Inf"] == 0


def test_a_broker_that_is_away_is_told(broker_at: Callable[[str], None]) -> None:
    broker_at(COMPLETE["BROKER_URL"])
    assert scrape()["ordersite_broker_up"] == 0


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text;version=1.0.0", "image/png"])
def test_whatever_the_scraper_accepts_it_is_answered(accept: str) -> None:
    assert scrape(Accept=accept)


def test_a_dead_token_does_not_matter() -> None:
    assert scrape(Authorization="Bearer dead")


def test_it_is_only_read() -> None:
    check_problem(client_of().post(PATH, {}), 405, "method_not_allowed")


def test_a_database_that_is_too_busy_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "STATEMENT_TIMEOUT", 50)
    monkeypatch.setattr(metrics, "queue_states", sleep)
    check_problem(client_of().get(PATH), 503, "database_unavailable")


def sleep() -> None:
    """A statement that would take ten seconds."""

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(10)")
    raise DatabaseError("it was not ended in time")
