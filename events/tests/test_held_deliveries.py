"""Many deliveries wait behind dead letters: the relay's polls do not see them, and a replay works them off in order."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from events import floors, parking
from events.chunks import FIRST
from events.handling import deliveries, runner
from events.letters import dead_letters
from events.models import Delivery
from events.relaying import claims, clock_steps, sweeps
from events.tests.helpers import handler, published
from events.tests.parcels import ParcelSortedV1, parcel_packed
from events.tests.servers import pages_read, statements

pytestmark = pytest.mark.django_db(transaction=True)

SUBJECTS = 20
MORE = 50  # pages: each of the indexes has got a level


def die(*subjects: UUID) -> None:
    """A bug: the first delivery of each subject is dead."""
    published(*(ParcelSortedV1(parcel_id=subject) for subject in subjects))
    Delivery.objects.filter(queue="delivery").update(
        state="dead", reason="permanent_error", handled_at="2026-01-01T00:00:00Z"
    )


def hold_behind(*subjects: UUID, each: int) -> None:
    for subject in subjects:
        published(*[ParcelSortedV1(parcel_id=subject)] * each)


def pages_of_a_poll() -> int:
    """What a relay reads when one delivery of another queue is due; taken back, so that the next finds it again."""
    known = floors.unknown()
    with transaction.atomic(), statements() as made:
        for due in claims.due_queues(known):
            claims.claim(due.name, 25, floor=known[due.name].due)
        transaction.set_rollback(True)
    with transaction.atomic():
        read = sum(pages_read(sql, parameters) for sql, parameters in made)
        transaction.set_rollback(True)
    return read


def vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE events_delivery")


def test_a_poll_reads_no_more_for_what_waits_behind_dead_letters() -> None:
    subjects = [uuid4() for _ in range(SUBJECTS)]
    published(parcel_packed())
    die(*subjects)
    vacuum()
    before = pages_of_a_poll()
    hold_behind(*subjects, each=500)
    assert Delivery.objects.filter(queue="delivery", state="pending", due_at=None).count() == SUBJECTS * 500
    vacuum()
    assert 0 < pages_of_a_poll() <= before + MORE
    Delivery.objects.filter(queue="delivery", due_at=None, state="pending").update(due_at=Now())  # as if nobody parked
    assert pages_of_a_poll() > 10 * (before + MORE)


def test_a_sweep_looks_at_a_bounded_part_of_them_and_wakes_none() -> None:
    subjects = [uuid4() for _ in range(SUBJECTS)]
    die(*subjects)
    hold_behind(*subjects, each=500)
    after, rounds = FIRST, 0
    while rounds == 0 or after != FIRST:
        after = sweeps.wake_missed(after=after)
        rounds += 1
    assert rounds == SUBJECTS * 500 // sweeps.PARKED + 1  # whole ones, and the end
    assert not Delivery.objects.filter(state="pending").exclude(due_at=None).exists()


def test_after_the_fix_and_a_replay_of_all_everything_is_done_in_order() -> None:
    subjects = [uuid4() for _ in range(SUBJECTS)]
    die(*subjects)
    hold_behind(*subjects, each=5)
    dead = list(dead_letters.dead_letters().values_list("id", flat=True))
    assert dead_letters.replay_all(dead, by="a person") == SUBJECTS
    seen: list[tuple[UUID, int]] = []
    fixed = handler(lambda event: seen.append((event.subject, event.sequence)), "delivery.deliver")
    while found := claims.claim("delivery", 25):
        for delivery in found.deliveries:
            runner.run(fixed, {delivery.id: delivery.token}, worker="test")
    assert len(seen) == SUBJECTS * 6
    for subject in subjects:
        assert [sequence for who, sequence in seen if who == subject] == list(range(1, 7))
    assert set(Delivery.objects.filter(queue="delivery").values_list("state", "attempts")) == {("done", 1)}


STATEMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "finish": (deliveries._FINISH[True], {"id": uuid4(), "token": uuid4()}),
    "finish_many": (deliveries._FINISH[False], {"ids": [uuid4()], "token": uuid4()}),
    "wake": (parking._WAKE, {"subject": uuid4(), "consumer": "delivery"}),
    "park": (parking._PARK, {"subject": uuid4(), "consumer": "delivery", "sequence": 1, "handler": "delivery.deliver"}),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_next_of_a_subject_is_found_by_the_subject_also_while_nothing_waits(name: str) -> None:
    published(*[ParcelSortedV1(parcel_id=uuid4())] * 300)
    Delivery.objects.update(state="done", handled_at="2026-01-01T00:00:00Z")
    vacuum()
    sql, parameters = STATEMENTS[name]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "delivery_holds" in plan
    assert "delivery_parked" not in plan
    assert "delivery_due" not in plan


def everything() -> dict[str, Any]:
    """What a statement is given that looks at all queues of the map."""
    return floors.parameters(floors.unknown()) | clock_steps._backoffs() | {"count_to": 25}


QUIET: dict[str, tuple[str, dict[str, Any]]] = {
    "search_due": (floors._SEARCH_DUE, {"queues": ["sorting"], "margin": 0}),
    "search_leases": (floors._SEARCH_LEASES, {"queues": ["sorting"], "shortest": 29}),
    "due_queues": (claims._DUE_QUEUES, {}),
    "claim": (claims._CLAIM_OLDEST, {"queue": "sorting", "size": 25, "floor": floors.BEGINNING}),
    "claim_newest": (
        claims._CLAIM_NEWEST,
        {
            "queue": "sorting",
            "size": 25,
            "window": 200,
            "floor": floors.BEGINNING,
            "older": floors.BEGINNING,
            "newer": floors.BEGINNING,
        },
    ),
    "park_missed": (sweeps._PARK_MISSED, {"queue": "sorting", "chunk": 200, "floor": floors.BEGINNING}),
    "expire": (sweeps._EXPIRE, {"chunk": 200, "fingerprint": "", "away_until": None}),
    "leases_ahead": (clock_steps._LEASES, {"chunk": 200, "slack": 1, "nearest": 1}),
    "due_ahead": (clock_steps._DUE, {"chunk": 200, "slack": 1, "nearest": 1}),
}


@pytest.mark.parametrize("name", [*QUIET, "start_many", "finish_many"])
def test_a_backlog_that_comes_after_a_quiet_time_is_not_read_whole_at_each_look(name: str) -> None:
    """PostgreSQL's statistics are then of a moment in which nothing was due."""
    published(*(parcel_packed() for _ in range(BACKLOG)))
    Delivery.objects.update(state="done", handled_at="2026-01-01T00:00:00Z")
    vacuum()
    published(*(parcel_packed() for _ in range(BACKLOG)))
    claim = claims.claim("sorting", 25)
    assert claim
    sent = {one.id: one.token for one in claim.deliveries}
    if name == "start_many":
        sql, parameters = deliveries._START[False], {"worker": "test", "lease": 30, "new_token": uuid4()}
        parameters |= {"ids": list(sent), "tokens": list(sent.values()), "alone": False}
    elif name == "finish_many":
        token = deliveries.start(sent, worker="test", lease=30)[0].token
        sql, parameters = deliveries._FINISH[False], {"ids": list(sent), "token": token}
    else:
        sql, parameters = QUIET[name][0], everything() | QUIET[name][1]
    assert rows_read(sql, parameters) < BACKLOG / 2


BACKLOG = 2_500


def rows_read(sql: str, parameters: dict[str, Any]) -> int:
    """Return the largest number of rows that a part of the statement has read, in all of its rounds."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
        plan = cursor.fetchone()[0]
    return max(_rows(plan[0]["Plan"]))


def _rows(node: dict[str, Any]) -> list[int]:
    passed_over = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    own = int((node["Actual Rows"] + passed_over) * node["Actual Loops"])
    return [own, *(rows for inner in node.get("Plans", []) for rows in _rows(inner))]
