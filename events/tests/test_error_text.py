import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as site

from events import redaction
from events.error_text import MESSAGE_LIMIT, TRACEBACK_LIMIT, describe, without_secrets
from events.redaction import HIDDEN


@pytest.fixture(autouse=True)
def _fresh_secrets() -> Iterator[None]:
    redaction._secrets_of_settings.cache_clear()
    yield
    redaction._secrets_of_settings.cache_clear()


def raised(raise_it: Callable[[], Any]) -> Exception:
    try:
        raise_it()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


def one(message: str = "one", kind: type[Exception] = ValueError) -> None:
    raise kind(message)


def of_another_type() -> None:
    one(kind=KeyError)


def through_another() -> None:
    one()


def another(message: str = "another") -> None:
    raise ValueError(message)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no route to redis://:s3cr3t@cache:6379/0 now", f"no route to redis://:{HIDDEN}@cache:6379/0 now"),
        ("smtp://ada:p@ss:w0rd@mail:587 refused", f"smtp://ada:{HIDDEN}@mail:587 refused"),
        ("GET https://post/parcels/1 gave 500", "GET https://post/parcels/1 gave 500"),
        ("Authorization: Bearer abcdef0123456789", f"Authorization: {HIDDEN} {HIDDEN}"),
        ("with bearer abcdef.012-345_6789/+=, twice", f"with bearer {HIDDEN}, twice"),
        ("password=hunter2", f"password={HIDDEN}"),
        ("CRM_API_KEY = hunter2; next", f"CRM_API_KEY = {HIDDEN}; next"),
        ("{'db_password': 'hun\\'ter 2', 'a': 1}", f"{{'db_password': {HIDDEN}, 'a': 1}}"),
        ('{"client_secret": "hun\\"ter 2", "a": 1}', f'{{"client_secret": {HIDDEN}, "a": 1}}'),
        ('{\\"token\\": \\"hunter2\\", \\"a\\": 1}', f'{{\\"token\\": {HIDDEN}, \\"a\\": 1}}'),
        ("?page=2&access_token=hunter2&x=1", f"?page=2&access_token={HIDDEN}&x=1"),
        ("password=None, secret=''", f"password=None, secret={HIDDEN}"),
        ("no room for P-1: 3 < 4", "no room for P-1: 3 < 4"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_the_rest_stays(text: str, told: str) -> None:
    assert without_secrets(text) == told


def test_the_deployments_own_secrets_are_hidden_wherever_they_stand(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECRET_KEY = "of-the-site-itself"
    settings.EMAIL_HOST_PASSWORD = "of-the-mail"
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "of/the/books")
    settings.EVENTS = settings.EVENTS | {"SECRETS": ["of-the-broker", None]}
    secrets = ["of-the-site-itself", "of-the-mail", "of/the/books", "of%2Fthe%2Fbooks", "of-the-broker"]
    text = without_secrets(f"we had {' and '.join(secrets)} at hand")
    assert text == f"we had {' and '.join([HIDDEN] * len(secrets))} at hand"


def test_a_short_password_does_not_hide_ordinary_words(settings: Any) -> None:
    settings.EMAIL_HOST_PASSWORD = "day"
    assert without_secrets("one day late") == "one day late"


def test_message_and_traceback_are_told_without_the_secrets() -> None:
    told = describe(raised(lambda: one(f"cannot sign with {site.SECRET_KEY}")))
    assert told.message == f"cannot sign with {HIDDEN}"
    assert site.SECRET_KEY not in told.traceback
    assert told.traceback.endswith(f"ValueError: cannot sign with {HIDDEN}\n")
    assert told.type == "builtins.ValueError"


def test_message_and_traceback_are_bounded_at_what_tells_most() -> None:
    told = describe(raised(lambda: one("first " + "x" * 100_000 + " last")))
    assert (len(told.message), len(told.traceback)) == (MESSAGE_LIMIT, TRACEBACK_LIMIT)
    assert told.message.startswith("first ")
    assert told.traceback.endswith(" last\n")


@pytest.mark.parametrize("before", range(MESSAGE_LIMIT - 40, MESSAGE_LIMIT + 1, 5))
def test_a_secret_at_the_bound_is_not_told_in_part(before: int) -> None:
    told = describe(raised(lambda: one("x" * before + " " + site.SECRET_KEY + "y" * 50_000)))
    assert site.SECRET_KEY[:6] not in told.message


def test_many_secrets_bring_none_of_them_in_from_beyond_the_bound() -> None:
    told = describe(raised(lambda: one(" ".join([site.SECRET_KEY] * 1_000))))
    assert site.SECRET_KEY[:6] not in told.message + told.traceback


@pytest.mark.parametrize("text", ["a-" * 500_000, "token" * 200_000, "://a:" * 200_000, "password='" * 100_000])
def test_a_long_message_takes_no_long_time(text: str) -> None:
    error = raised(lambda: one(text))
    began = time.process_time()
    describe(error)
    assert time.process_time() - began < 1


@pytest.mark.django_db
def test_what_no_row_can_hold_is_written_so_that_it_can() -> None:
    from django.db import connection

    told = describe(raised(lambda: one("a\0b \ud800 ü")))
    assert told.message == "ab \\ud800 ü"
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s || %s", [told.message, told.traceback])
        assert cursor.fetchone()[0].startswith("ab")


def test_an_error_that_cannot_tell_its_message_is_described_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    error = Mute()
    assert describe(error).message == "<the message cannot be told>"
    assert "Mute" in describe(error).type


def test_errors_of_one_kind_have_one_fingerprint_whatever_they_say_and_whatever_the_line() -> None:
    def moved() -> None:
        if False:
            another("never")
        one("two")

    code = compile("def moved():\n\n\n\n    one('three')\n", __file__, "exec")
    later: dict[str, Any] = {"one": one, "__name__": __name__}
    exec(code, later)
    fingerprints = {print_of(error) for error in (moved, later["moved"])}
    assert len(fingerprints) == 1


def print_of(function: Callable[[], Any]) -> str:
    return describe(raised(function)).fingerprint


def test_another_place_or_another_type_has_another_fingerprint() -> None:
    prints = {print_of(one), print_of(another), print_of(through_another), print_of(of_another_type)}
    assert len(prints) == 4
    assert all(len(value) == 16 for value in prints)
