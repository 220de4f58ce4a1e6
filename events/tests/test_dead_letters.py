import threading
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from rest_framework.exceptions import ValidationError

from events.dead_letters import NotDead, discard, replay, replay_all
from events.errors import PermanentError
from events.models import Decision, Delivery, Event
from events.subscriptions import the_map
from events.tests.helpers import handler, nothing, only, order_cancelled, order_created, published, run

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "notifications.send_order_received"


def fail(event: Any) -> None:
    raise PermanentError("bad data")


def a_dead_letter(name: str = NAME, order_id: UUID | None = None) -> UUID:
    (event_id,) = published(order_created(order_id))
    with pytest.raises(PermanentError):
        run(handler(fail, name=name), name.split(".", maxsplit=1)[0])
    return only(handler=name, event_id=event_id).id


def run_notification(function: Any = nothing) -> str:
    return run(handler(function, name=NAME), "notifications")


def test_a_replay_starts_again_from_the_first_attempt_and_is_recorded() -> None:
    letter = a_dead_letter()
    replay(letter, by="ann", reason="data mended")
    delivery = only(pk=letter)
    assert (delivery.state, delivery.attempts, delivery.reason) == ("pending", 0, "")
    assert run_notification() == "done at attempt 1"
    decision = Decision.objects.get(delivery_id=letter)
    assert (decision.action, decision.by, decision.reason) == ("replay", "ann", "data mended")


def test_only_a_dead_letter_can_be_replayed_or_discarded() -> None:
    published(order_created())
    delivery = only(handler=NAME)
    with pytest.raises(NotDead):
        replay(delivery.id, by="ann")
    with pytest.raises(NotDead):
        discard(delivery.id, by="ann", reason="no")
    with pytest.raises(NotDead):
        replay(uuid4(), by="ann")


def test_of_two_replays_at_once_one_is_refused() -> None:
    letter = a_dead_letter()
    outcomes: list[str] = []

    def person() -> None:
        try:
            replay(letter, by="ann")
            outcomes.append("replayed")
        except NotDead:
            outcomes.append("refused")
        connection.close()

    threads = [threading.Thread(target=person) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(outcomes) == ["refused", "replayed"]
    assert Decision.objects.count() == 1


def test_an_edit_reaches_this_handler_and_leaves_the_event_alone() -> None:
    letter = a_dead_letter()
    event = only(pk=letter).event
    edited = event.data | {"number": "O-2"}
    replay(letter, by="ann", data=edited)
    seen: list[str] = []
    run_notification(lambda received: seen.append(received.data.number))
    assert seen == ["O-2"]
    event.refresh_from_db()
    assert event.data["number"] == "O-1"


def test_an_edit_that_does_not_fit_the_type_is_refused_by_its_field() -> None:
    letter = a_dead_letter()
    with pytest.raises(ValidationError, match="total"):
        replay(letter, by="ann", data=only(pk=letter).event.data | {"total": "much"})
    assert only(pk=letter).state == "dead"


def test_many_are_replayed_and_those_no_longer_dead_are_passed_over() -> None:
    letters = [a_dead_letter(), a_dead_letter()]
    replay(letters[0], by="ann")
    assert replay_all(letters, by="bob") == 1


def test_a_discard_needs_a_reason() -> None:
    letter = a_dead_letter()
    with pytest.raises(ValidationError, match="Say why"):
        discard(letter, by="ann", reason="  ")
    assert only(pk=letter).state == "dead"


def test_a_discarded_one_is_final() -> None:
    letter = a_dead_letter()
    discard(letter, by="ann", reason="wrong address")
    assert only(pk=letter).state == "discarded"
    with pytest.raises(NotDead):
        replay(letter, by="ann")


def test_discarding_wakes_what_waited_behind_it() -> None:
    order_id = uuid4()
    letter = a_dead_letter("inventory.reserve_items", order_id)
    published(order_cancelled(order_id))
    assert only(handler="inventory.release_items").due_at is None
    discard(letter, by="ann", reason="never mind")
    assert only(handler="inventory.release_items").due_at is not None


def test_replaying_keeps_what_waits_behind_it_waiting_until_it_is_done() -> None:
    order_id = uuid4()
    letter = a_dead_letter("inventory.reserve_items", order_id)
    published(order_cancelled(order_id))
    replay(letter, by="ann")
    assert only(handler="inventory.release_items").due_at is None
    run(handler(nothing))
    assert only(handler="inventory.release_items").due_at is not None


def test_a_compensation_that_fails_leaves_the_letter_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    letter = a_dead_letter("inventory.reserve_items")
    monkeypatch.setitem(the_map().compensations, _handler("inventory.reserve_items"), fail)
    with pytest.raises(PermanentError):
        discard(letter, by="ann", reason="no")
    assert only(pk=letter).state == "dead"
    assert not Decision.objects.exists()


def _handler(name: str) -> Any:
    return next(h for h in the_map().compensations if h.name == name)


def deadletters(*arguments: object) -> str:
    out = StringIO()
    call_command("deadletters", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_shell_lists_shows_replays_and_discards() -> None:
    first, second = a_dead_letter(), a_dead_letter()
    listed = deadletters("list")
    assert "notifications.dlq" in listed
    assert "2 dead letters" in listed
    assert "0 dead letters" in deadletters("list", "--handler", "inventory.reserve_items")
    shown = deadletters("show", first)
    assert "PermanentError: bad data" in shown
    assert '"number": "O-1"' in shown
    assert "1 replayed" in deadletters("replay", first)
    assert "discarded" in deadletters("discard", second, "--reason", "old")
    assert Delivery.objects.get(pk=second).state == "discarded"


def test_the_shell_replays_all_only_when_told_so() -> None:
    a_dead_letter()
    a_dead_letter()
    with pytest.raises(CommandError, match="--all"):
        deadletters("replay")
    assert "2 replayed" in deadletters("replay", "--all")


def test_the_shell_says_what_is_not_a_dead_letter() -> None:
    with pytest.raises(CommandError, match="not a dead letter"):
        deadletters("show", uuid4())
    with pytest.raises(CommandError, match="not a dead letter"):
        deadletters("replay", uuid4())
    with pytest.raises(CommandError, match="not a dead letter"):
        deadletters("discard", uuid4(), "--reason", "x")


def test_a_letter_whose_data_nobody_can_read_can_be_discarded() -> None:
    letter = a_dead_letter("inventory.reserve_items")
    Event.objects.update(data={"nothing": "of use"}, type="order.created.v9")
    discard(letter, by="ann", reason="garbage")
    assert only(pk=letter).state == "discarded"


def test_an_edit_may_not_turn_to_another_order_or_add_what_nobody_reads() -> None:
    letter = a_dead_letter()
    data = only(pk=letter).event.data
    with pytest.raises(ValidationError, match="something else"):
        replay(letter, by="ann", data=data | {"order_id": str(uuid4())})
    with pytest.raises(ValidationError, match="gift_wrap"):
        replay(letter, by="ann", data=data | {"gift_wrap": True})
