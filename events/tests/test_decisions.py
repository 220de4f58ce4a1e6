import pytest

from events.letters.dead_letters import BY_LIMIT, InvalidInput, add_note, discard, replay, replay_all
from events.models import Decision, Note
from events.tests.helpers import ANNOUNCE, break_down, handler, only, run
from events.tests.parcels import a_dead_letter

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_decision_tells_when_the_letter_had_died() -> None:
    one, many, given_up = a_dead_letter(), a_dead_letter(), a_dead_letter()
    died = {letter: only(pk=letter).handled_at for letter in (one, many, given_up)}
    replay(one, by="ann")
    replay_all([many], by="ann")
    discard(given_up, by="ann", reason="old")
    assert dict(Decision.objects.values_list("delivery_id", "died_at")) == died
    assert None not in died.values()


def test_a_letter_that_dies_again_is_decided_about_with_its_second_death() -> None:
    letter = a_dead_letter()
    replay(letter, by="ann")
    assert only(pk=letter).handled_at is None
    with pytest.raises(Exception, match="bad data"):
        run(handler(break_down, name=ANNOUNCE))
    replay(letter, by="ann")
    deaths = list(Decision.objects.filter(delivery_id=letter).values_list("died_at", flat=True))
    assert len(set(deaths)) == 2
    assert deaths == sorted(filter(None, deaths))


def test_a_note_is_kept_whatever_became_of_the_letter() -> None:
    letter = a_dead_letter()
    replay(letter, by="ann")
    add_note(letter, by="a" * 300, text="the supplier was asked")
    assert Note.objects.values_list("delivery_id", "by", "text").get() == (
        letter,
        "a" * BY_LIMIT,
        "the supplier was asked",
    )


def test_an_empty_note_is_refused() -> None:
    with pytest.raises(InvalidInput):
        add_note(a_dead_letter(), by="ann", text=" \n")
    assert not Note.objects.exists()
