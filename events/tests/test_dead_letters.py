import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, transaction

from events.errors import PermanentError
from events.letters import dead_letters
from events.letters.dead_letters import InvalidInput, NotDead, discard, discard_all, discard_effect, replay, replay_all
from events.models import Decision, Delivery, Event
from events.subscriptions import the_map
from events.tests.helpers import ANNOUNCE, SORT, be_away, break_down, handler, nothing, only, published, run
from events.tests.parcels import a_dead_letter, parcel_lost, parcel_packed, sort_parcel
from events.tests.servers import a_transaction, at_once, lock, meanwhile, waiting_for_locks
from events.tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


def run_announce(function: Any = nothing) -> str:
    return run(handler(function, name=ANNOUNCE))


def test_a_replay_starts_again_from_the_first_attempt_and_is_recorded() -> None:
    letter = a_dead_letter()
    replay(letter, by="ann", reason="data mended")
    delivery = only(pk=letter)
    assert (delivery.state, delivery.attempts, delivery.reason) == ("pending", 0, "")
    assert run_announce() == "done at attempt 1"
    decision = Decision.objects.get(delivery_id=letter)
    assert (decision.action, decision.by, decision.reason) == ("replay", "ann", "data mended")


def test_only_a_dead_letter_can_be_replayed_or_discarded() -> None:
    published(parcel_packed())
    delivery = only(handler=ANNOUNCE)
    with pytest.raises(NotDead):
        replay(delivery.id, by="ann")
    with pytest.raises(NotDead):
        discard(delivery.id, by="ann", reason="no")
    with pytest.raises(NotDead, match="Only a dead letter can be replayed or discarded"):
        replay(uuid4(), by="ann")


def test_of_two_replays_at_once_one_is_refused() -> None:
    letter = a_dead_letter()

    def person(_: int) -> str:
        try:
            replay(letter, by="ann")
        except NotDead:
            return "refused"
        return "replayed"

    assert sorted(at_once(2, person)) == ["refused", "replayed"]
    assert Decision.objects.count() == 1


def test_an_edit_reaches_this_handler_and_leaves_the_event_alone() -> None:
    letter = a_dead_letter()
    event = only(pk=letter).event
    edited = event.data | {"number": "P-2"}
    replay(letter, by="ann", data=edited)
    seen: list[str] = []
    run_announce(lambda received: seen.append(received.data.number))
    assert seen == ["P-2"]
    event.refresh_from_db()
    assert event.data["number"] == "P-1"


def test_an_edit_that_does_not_fit_the_type_is_refused_by_its_field() -> None:
    letter = a_dead_letter()
    with pytest.raises(InvalidInput, match=r"^weight: Input should be"):
        replay(letter, by="ann", data=only(pk=letter).event.data | {"weight": "much"})
    assert only(pk=letter).state == "dead"


def test_a_replay_that_waited_for_somebody_elses_is_refused() -> None:
    letter = a_dead_letter()
    with a_transaction() as other:
        other.execute(
            "UPDATE events_delivery SET state = 'pending', reason = '', handled_at = NULL WHERE id = %s", [letter]
        )
        with meanwhile(lambda: replay(letter, by="ann")) as replayed:
            until("it waits for the letter", waiting_for_locks)
            other.commit()
    with pytest.raises(NotDead):
        replayed.result()
    assert not Decision.objects.exists()


def test_an_edit_of_a_type_that_this_code_does_not_know_is_refused() -> None:
    letter = a_dead_letter()
    Delivery.objects.filter(pk=letter).update(event_type="parcel.packed.v9")
    with pytest.raises(InvalidInput, match=r"parcel\.packed\.v9"):
        replay(letter, by="ann", data=only(pk=letter).event.data)


def test_letters_are_what_is_dead_was_given_up_or_was_replayed_in_the_order_of_their_events() -> None:
    dead, given_up, replayed = sorted(a_dead_letter() for _ in range(3))
    discard(given_up, by="ann", reason="old")
    replay(replayed, by="ann")
    again = a_dead_letter()
    replay(again, by="ann")
    for letter in (replayed, dead):  # they lie in the table in another order
        Delivery.objects.filter(pk=letter).update(worker="moved")
    late = a_dead_letter()
    Delivery.objects.filter(pk=dead).update(worker="moved again")
    plans = ("indexscan", "bitmapscan", "hashjoin", "mergejoin")  # those that would sort by themselves
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL enable_{plan} = off" for plan in plans))
        assert [letter.id for letter in dead_letters.dead_letters()] == [dead, late]
        assert [letter.id for letter in dead_letters.letters()] == [dead, given_up, replayed, again, late]
        assert [letter.id for letter in dead_letters.replayed_letters()] == [given_up, replayed, again]


def test_many_are_replayed_and_those_no_longer_dead_are_passed_over() -> None:
    letters = [a_dead_letter(), a_dead_letter()]
    replay(letters[0], by="ann")
    assert replay_all(letters, by="bob") == 1


def test_many_are_replayed_with_a_decision_each_and_their_data_untouched() -> None:
    letters = [a_dead_letter() for _ in range(3)]
    replay(letters[0], by="ann", data=only(pk=letters[0]).event.data | {"number": "P-2"})
    with pytest.raises(PermanentError):
        run_announce(break_down)
    looked_at: list[int] = []
    assert replay_all(letters, by="bob" * 100, reason="mended", progress=looked_at.append) == 3
    assert looked_at == [3]
    states = Delivery.objects.filter(pk__in=letters).values_list("state", "attempts", "reason", "handled_at")
    assert set(states) == {("pending", 0, "", None)}
    assert [only(pk=letter).edited_data is None for letter in letters] == [False, True, True]
    decided = Decision.objects.filter(reason="mended").values_list("delivery_id", "action", "by")
    assert set(decided) == {(letter, "replay", ("bob" * 100)[:200]) for letter in letters}


def test_replaying_many_goes_by_chunks_that_stand_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "CHUNK", 2)
    letters = [a_dead_letter() for _ in range(5)]

    def break_off(count: int) -> None:
        if count < 2 or Delivery.objects.filter(pk__in=letters, state="dead").count() == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay_all(letters, by="ann", progress=break_off)
    left = Delivery.objects.filter(pk__in=letters, state="dead").values_list("id", flat=True)
    assert list(left) == letters[4:]
    assert replay_all(letters, by="ann") == 1
    assert Decision.objects.count() == 5


def test_of_two_who_replay_many_at_once_each_letter_is_replayed_by_one() -> None:
    letters = [a_dead_letter() for _ in range(4)]
    counts: list[int] = []

    def person() -> None:
        counts.append(replay_all(letters, by="ann"))
        connection.close()

    threads = [threading.Thread(target=person) for _ in range(2)]
    with transaction.atomic():
        Delivery.objects.select_for_update().get(pk=letters[0])  # so that both stand in line
        for thread in threads:
            thread.start()
        until("both wait", lambda: waiting_for_locks() >= 2)
    for thread in threads:
        thread.join(10)
    assert sorted(counts) == [0, 4]
    assert Decision.objects.count() == 4


def test_letters_are_locked_in_one_order_so_that_two_who_replay_many_never_deadlock() -> None:
    letters = sorted(a_dead_letter() for _ in range(4))
    Delivery.objects.filter(pk=letters[0]).update(worker="moved to the end of the table")
    with a_transaction() as other:
        lock(other, "events_delivery", letters[0])
        with meanwhile(lambda: replay_all(reversed(letters), by="ann")) as replayed:
            until("it waits for the first letter", waiting_for_locks)
            lock(other, "events_delivery", *letters[1:])
            other.rollback()
    assert replayed.result() == 4


def test_what_was_replayed_and_done_is_not_replayed_once_more() -> None:
    letter = a_dead_letter()
    replay(letter, by="ann")
    assert run_announce() == "done at attempt 1"
    with pytest.raises(NotDead):
        replay(letter, by="ann")
    assert replay_all([letter], by="ann") == 0
    assert only(pk=letter).state == "done"


def test_many_are_discarded_and_one_bad_compensation_keeps_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [a_dead_letter(SORT), a_dead_letter(), a_dead_letter()]
    replay(letters[2], by="ann")
    monkeypatch.setitem(the_map().compensations, sort_parcel, break_down)
    looked_at: list[int] = []
    count, failed = discard_all(letters, by="ann", reason="old", progress=looked_at.append)
    assert (count, list(failed), looked_at) == (1, letters[:1], [1, 1, 1])
    assert isinstance(failed[letters[0]], PermanentError)
    assert [only(pk=letter).state for letter in letters] == ["dead", "discarded", "pending"]
    with pytest.raises(InvalidInput, match="Say why"):
        discard_all([], by="ann", reason=" ")


def test_discarding_many_ends_where_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [a_dead_letter(SORT), a_dead_letter()]
    monkeypatch.setitem(the_map().compensations, sort_parcel, be_away)
    with pytest.raises(OperationalError):
        discard_all(letters, by="ann", reason="old")
    assert [only(pk=letter).state for letter in letters] == ["dead", "dead"]


def test_of_a_compensation_the_first_line_is_told_or_else_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(parcel_id: Any) -> None:
        """Do this.

        In that way.
        """

    def untold(parcel_id: Any) -> None:
        pass

    for compensation, words in ((told, "Do this."), (untold, "untold")):
        monkeypatch.setitem(the_map().compensations, sort_parcel, compensation)
        assert discard_effect(SORT) == words


def test_what_a_discard_does_is_told_in_the_words_of_the_compensation() -> None:
    assert discard_effect(SORT) == "Send the parcel back."
    assert discard_effect(ANNOUNCE) == discard_effect("gone.handler") == "nothing else"


def test_a_discard_needs_a_reason() -> None:
    letter = a_dead_letter()
    with pytest.raises(InvalidInput, match="Say why"):
        discard(letter, by="ann", reason="  ")
    assert only(pk=letter).state == "dead"


def test_a_discarded_one_is_final() -> None:
    letter = a_dead_letter()
    died_at = only(pk=letter).handled_at
    discard(letter, by="ann", reason="wrong address")
    discarded = only(pk=letter)
    assert discarded.state == "discarded"
    assert died_at
    assert discarded.handled_at
    assert discarded.handled_at > died_at  # it is kept for as long from now
    with pytest.raises(NotDead):
        replay(letter, by="ann")


def test_discarding_wakes_what_waited_behind_it() -> None:
    parcel_id = uuid4()
    letter = a_dead_letter(SORT, parcel_id)
    published(parcel_lost(parcel_id))
    assert only(handler="sorting.take_out").due_at is None
    discard(letter, by="ann", reason="never mind")
    assert only(handler="sorting.take_out").due_at is not None


def test_replaying_keeps_what_waits_behind_it_waiting_until_it_is_done() -> None:
    parcel_id = uuid4()
    letter = a_dead_letter(SORT, parcel_id)
    published(parcel_lost(parcel_id))
    replay(letter, by="ann")
    assert only(handler="sorting.take_out").due_at is None
    run(handler(nothing))
    assert only(handler="sorting.take_out").due_at is not None


def test_a_compensation_that_fails_leaves_the_letter_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    letter = a_dead_letter(SORT)
    monkeypatch.setitem(the_map().compensations, sort_parcel, break_down)
    with pytest.raises(PermanentError):
        discard(letter, by="ann", reason="no")
    assert only(pk=letter).state == "dead"
    assert not Decision.objects.exists()


def test_a_letter_whose_data_nobody_can_read_can_be_discarded() -> None:
    letter = a_dead_letter(SORT)
    Event.objects.update(data={"nothing": "of use"}, type="parcel.packed.v9")
    discard(letter, by="ann", reason="garbage")
    assert only(pk=letter).state == "discarded"


def test_an_edit_may_not_turn_to_another_parcel_or_add_what_nobody_reads() -> None:
    letter = a_dead_letter()
    data = only(pk=letter).event.data
    with pytest.raises(InvalidInput, match="something else"):
        replay(letter, by="ann", data=data | {"parcel_id": str(uuid4())})
    with pytest.raises(InvalidInput, match="gift_wrap"):
        replay(letter, by="ann", data=data | {"gift_wrap": True})
