"""How the relay waits: hints wake it, and it looks all the same where there are none."""

import threading
import time
from collections.abc import Callable, Iterator
from math import inf

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction

from events import wakeup
from events.relaying import waiting as module
from events.relaying.waiting import Waiting
from events.tests.helpers import published
from events.tests.parcels import parcel_packed
from events.tests.servers import a_transaction, at_once
from events.tests.waiting import until
from events.wakeup import CHANNEL, wake, wake_after_commit

pytestmark = pytest.mark.django_db(transaction=True)
LONG = 30.0  # seconds: a test that waits for so long has failed


@pytest.fixture(autouse=True)
def no_look_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SELDOM", LONG)
    monkeypatch.setattr(wakeup, "_sent", {})


def a_relays(next_look: Callable[[str], float] = lambda queue: -inf) -> Waiting:
    """Return what waits, having heard that hints come through."""
    waiting = Waiting(lambda: False, next_look)
    waiting.listen()
    waiting.look_at(0)
    waiting.rest()
    return waiting


def rests(waiting: Waiting) -> float:
    """Return the seconds of a rest."""
    began = time.monotonic()
    waiting.rest()
    return time.monotonic() - began


def elsewhere(act: Callable[[], object]) -> None:
    """Do this on another connection."""
    at_once(1, lambda _: act())


@pytest.fixture
def heard() -> Iterator[Callable[[], list[str]]]:
    """What is told to who listens, so far."""
    with a_transaction() as other:
        other.commit()
        other.autocommit = True
        other.execute(f"LISTEN {CHANNEL}")
        yield lambda: [hint.payload for hint in other.notifies(timeout=0.1)]
        other.autocommit = False


def test_who_publishes_wakes_it_with_the_commit() -> None:
    waiting = a_relays()
    elsewhere(lambda: published(parcel_packed()))
    assert rests(waiting) < LONG / 10


def test_a_hint_that_comes_with_the_answer_to_a_statement_counts_too() -> None:
    waiting = a_relays()
    elsewhere(lambda: wake("sorting"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert rests(waiting) < LONG / 10


def test_it_looks_when_the_queue_may_be_claimed_from() -> None:
    began = time.monotonic()
    waiting = a_relays(lambda queue: began + {"sorting": 0.5, "letters": 0.7}[queue])
    elsewhere(lambda: wake("letters,sorting"))
    waiting.rest()
    assert 0.5 <= time.monotonic() - began < LONG / 10


def test_without_hints_it_looks_as_often_as_ever() -> None:
    waiting = Waiting(lambda: False, lambda queue: inf)
    assert rests(waiting) < LONG / 10
    waiting.pause(0)  # as after a failure, which ends the connection
    assert rests(waiting) < LONG / 10


def test_it_listens_on_a_new_connection_too() -> None:
    waiting = a_relays()
    connection.close()
    waiting.listen()
    elsewhere(lambda: wake("sorting"))
    assert rests(waiting) < LONG / 10


def test_behind_a_pool_it_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fetch", lambda sql, parameters: [(0,)])  # as of a session that is another's
    waiting = Waiting(lambda: False, lambda queue: inf)
    waiting.listen()
    assert rests(waiting) < LONG / 10
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_listening_channels()")
        assert cursor.fetchall() == []


def test_it_ends_when_it_is_told_to() -> None:
    is_over = threading.Event()
    waiting = Waiting(is_over.is_set, lambda queue: inf)
    waiting.listen()
    threading.Timer(0.1, is_over.set).start()
    assert rests(waiting) < LONG / 10


def test_a_connection_that_ends_is_an_error_of_the_database() -> None:
    waiting = a_relays()
    terminate(connection.connection.info.backend_pid)
    with pytest.raises(OperationalError):
        waiting.rest()
    connection.close()


def test_what_is_rolled_back_wakes_nobody(heard: Callable[[], list[str]]) -> None:
    with transaction.atomic():
        wake_after_commit({"sorting"})
        transaction.set_rollback(True)
    assert heard() == []


def test_the_same_hint_is_sent_once_in_a_moment(
    heard: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "ONCE_IN", LONG)
    for _ in range(2):
        with transaction.atomic():
            wake_after_commit({"sorting", "letters"})
            wake_after_commit({"counting"})
            wake_after_commit(set())
    assert heard() == ["letters,sorting", "counting"]
    monkeypatch.setattr(wakeup, "ONCE_IN", 0)
    wake_after_commit({"counting"})
    assert heard() == ["counting"]


def test_with_another_backend_a_hint_comes_after_the_commit_and_is_no_error_of_who_published(
    heard: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(connections[DEFAULT_DB_ALIAS]), "after_commit")
    with transaction.atomic():
        wake_after_commit({"sorting"})
        assert heard() == []
    assert heard() == ["sorting"]
    with transaction.atomic():
        pid = connection.connection.info.backend_pid
        transaction.on_commit(lambda: terminate(pid))
        wake_after_commit({"letters"})
    connection.close()


def terminate(pid: int) -> None:
    with a_transaction() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    until("the connection has ended", lambda: not running(pid))


def running(pid: int) -> bool:
    with a_transaction() as other:
        return bool(other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall())
