from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from events.errors import PermanentError
from events.letters.dead_letters import replay
from events.models import Decision, Delivery
from events.subscriptions import the_map
from events.tests.helpers import ANNOUNCE, SORT, command, only
from events.tests.parcels import a_dead_letter, sort_parcel

pytestmark = pytest.mark.django_db(transaction=True)


def deadletters(*arguments: object) -> str:
    return command("deadletters", *arguments)


def test_the_shell_lists_shows_replays_and_discards() -> None:
    first, second = a_dead_letter(), a_dead_letter()
    listed = deadletters("list")
    assert "letters.dlq" in listed
    assert "2 dead letters" in listed
    assert "0 dead letters" in deadletters("list", "--handler", SORT)
    shown = deadletters("show", first)
    assert "PermanentError: bad data" in shown
    assert '"number": "P-1"' in shown
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


def states(*letters: UUID) -> list[str]:
    return [only(pk=letter).state for letter in letters]


def test_the_list_in_groups_counts_each_kind_of_error() -> None:
    first, _ = a_dead_letter(), a_dead_letter()
    a_dead_letter(SORT)
    told = deadletters("list", "--groups").splitlines()
    assert [line.split()[:3] for line in told[:2]] == [
        ["2", "letters.dlq", ANNOUNCE],
        ["1", "sorting.dlq", SORT],
    ]
    assert only(pk=first).fingerprint in told[0]
    assert "PermanentError: bad data" in told[0]
    assert told[2] == "3 dead letters in 2 groups"
    assert "1 dead letters in 1 groups" in deadletters("list", "--groups", "--handler", SORT)


def test_a_letter_is_shown_with_its_attempts_and_what_was_decided_also_once_it_is_replayed() -> None:
    letter = a_dead_letter()
    replay(letter, by="ann", reason="mended")
    shown = deadletters("show", letter)
    for text in (
        "state: pending",
        "failed attempt 1: ",
        "on test: events.errors.PermanentError: bad data",
        "replay by ann: ",
        "mended",
        f"/task/{letter}",
        "a discard does: nothing else",
        "in break_down",
    ):
        assert text in shown


def test_a_dry_run_tells_what_would_be_done_and_does_nothing() -> None:
    letters = a_dead_letter(SORT), a_dead_letter()
    told = deadletters("discard", "--all", "--reason", "old", "--dry-run")
    assert f"1  {SORT}: Send the parcel back" in told
    assert f"1  {ANNOUNCE}: nothing else" in told
    assert "2 would be discarded; nothing is changed" in told
    assert "1 would be replayed" in deadletters("replay", letters[0], "--dry-run")
    assert states(*letters) == ["dead", "dead"]
    assert not Decision.objects.exists()


def test_many_are_chosen_by_handler_type_or_error() -> None:
    one, other = a_dead_letter(SORT), a_dead_letter()
    assert "0 replayed" in deadletters("replay", "--event-type", "parcel.lost.v1")
    assert "1 discarded" in deadletters(
        "discard", "--fingerprint", only(pk=one).fingerprint, "--handler", SORT, "--reason", "old"
    )
    assert states(one, other) == ["discarded", "dead"]
    assert "1 replayed" in deadletters("replay", "--event-type", "parcel.packed.v1")
    assert states(one, other) == ["discarded", "pending"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["replay", "--handler", "sorting.sotr"], "no handler sorting.sotr; .*list --groups"),
        (["list", "--event-type", "parcel.made.v1"], "no event type parcel.made.v1"),
        (["list", "--groups", "--event-type", "parcel.packed.v1"], "leave"),
        (["replay", "--all", "--handler", SORT], "say which"),
        (["discard", "--reason", "old"], "say which"),
        (["discard", "--all", "--reason", " "], "Say why"),
        (["discard", "--all"], "--reason"),
        (["replay", str(uuid4()), "--all"], "say which"),
    ],
)
def test_a_slip_of_the_pen_is_an_error_that_says_what_to_do(arguments: list[str], told: str) -> None:
    letter = a_dead_letter()
    with pytest.raises(CommandError, match=told):
        deadletters(*arguments)
    assert states(letter) == ["dead"]


def test_the_letters_of_a_handler_that_is_gone_can_be_found() -> None:
    letter = a_dead_letter()
    Delivery.objects.filter(pk=letter).update(handler="letters.gone")
    assert "1 dead letters" in deadletters("list", "--handler", "letters.gone")


def test_what_could_not_be_discarded_is_told_and_the_command_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(parcel_id: UUID) -> None:
        raise PermanentError("no such parcel")

    monkeypatch.setitem(the_map().compensations, sort_parcel, cannot)
    letters = a_dead_letter(SORT), a_dead_letter()
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="1 were not discarded"):
        call_command("deadletters", "discard", "--all", "--reason", "old", stdout=out, stderr=err)
    assert "1 discarded" in out.getvalue()
    assert f"{letters[0]}: PermanentError('no such parcel')" in err.getvalue()
    assert states(*letters) == ["dead", "discarded"]
