import base64
import json
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.core.management import CommandError
from django.db import connection
from kombu.message import Message

from events.handling import unusable
from events.handling.unusable import Problem, Unusable, examine, keep, readable
from events.models import UnusableMessage
from events.tests.helpers import SORT, command
from events.tests.parcels import count_vans

KNOWN = count_vans.name
IDS = [str(uuid4()), str(uuid4())]


def message(body: Any, content_type: str = "application/json", **headers: Any) -> Message:
    """As kombu hands one to the worker."""
    return bare(body, content_type, headers={"task": KNOWN, "id": str(uuid4())} | headers)


def bare(body: Any, content_type: str = "application/json", headers: Any = None) -> Message:
    data: Any = body if isinstance(body, bytes) else json.dumps(body).encode()  # kombu's types know no bytes
    return Message(
        data, content_type=content_type, content_encoding="utf-8", headers=headers, accept={"application/json"}
    )


def refused(given: Message) -> str:
    with pytest.raises(Unusable) as error:
        examine(given, current_app.tasks)
    return str(error.value.problem)


@pytest.mark.parametrize(
    "given",
    [
        message([[], {}, {}]),
        message([[], {}, None]),
        message([[], {}, {}], timelimit=[None, 5.5]),
        message([IDS, {}, {}], task=SORT),
        message({"args": [], "kwargs": {}}),
    ],
)
def test_what_a_task_can_be_called_with_passes(given: Message) -> None:
    examine(given, current_app.tasks)


def test_a_message_of_celerys_protocol_1_passes() -> None:
    examine(bare({"task": KNOWN, "id": "1", "args": [], "kwargs": {}}), current_app.tasks)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (message([[], {}, {}], task="nobody.knows"), Problem.UNKNOWN_TASK),
        (message([[], {}, {}], task=["a", "list"]), Problem.NOT_A_MESSAGE),
        (message([[], {}, {}], id=None), Problem.NOT_A_MESSAGE),
        (message([[], {}, {}], timelimit="soon"), Problem.NOT_A_MESSAGE),
        (message([[], {}, {}], timelimit=["now", None]), Problem.NOT_A_MESSAGE),
        (message([]), Problem.UNREADABLE_BODY),
        (message({}), Problem.UNREADABLE_BODY),
        (message(5), Problem.UNREADABLE_BODY),
        (message([{}, [], {}]), Problem.UNREADABLE_BODY),
        (message({"args": [], "kwargs": 5}), Problem.UNREADABLE_BODY),
        (message([["one too many"], {}, {}]), Problem.UNREADABLE_BODY),
        (message([["not", "ids"], {}, {}], task=SORT), Problem.UNREADABLE_BODY),
        (message(b"{not json"), Problem.UNREADABLE_BODY),
        (message(b"\xff\xfe"), Problem.UNREADABLE_BODY),
        (message(b"\x80\x04N.", "application/x-python-serialize"), Problem.UNREADABLE_BODY),
        (message(b"text", "application/text"), Problem.UNREADABLE_BODY),
        (bare(5), Problem.NOT_A_MESSAGE),
    ],
)
def test_what_no_task_can_be_called_with_is_told(given: Message, problem: Problem) -> None:
    assert refused(given) == problem


def kept() -> UnusableMessage:
    return UnusableMessage.objects.get()


def keep_it(item: bytes, **more: Any) -> None:
    keep(item, Problem.NOT_JSON, **{"detail": "why", "queue": "delivery", "worker": "delivery@here"} | more)


@pytest.mark.django_db(transaction=True)
def test_a_message_is_kept_as_it_came() -> None:
    keep_it(b"not JSON")
    row = kept()
    assert (row.raw, row.size, row.problem, row.detail) == ("not JSON", 8, "not_json", "why")
    assert (row.queue, row.worker) == ("delivery", "delivery@here")
    assert row.received_at is not None


@pytest.mark.django_db(transaction=True)
def test_what_is_no_text_is_kept_as_escapes() -> None:
    keep_it("é\x00\x1b\ttab".encode() + b"\xff", detail="a NUL: \0, a lone surrogate: \ud800")
    assert kept().raw == "é\\x00\\x1b\ttab\\xff"
    assert kept().detail == "a NUL: \\x00, a lone surrogate: \\ud800"


@pytest.mark.django_db(transaction=True)
def test_a_message_is_kept_bounded() -> None:
    keep_it(b"\xff" * 20_000, detail="d" * 9_000, queue="q" * 900, worker="w" * 900)
    row = kept()
    assert (len(row.raw), row.size, len(row.detail)) == (unusable.RAW_LIMIT, 20_000, unusable.DETAIL_LIMIT)


@pytest.mark.django_db(transaction=True)
def test_secrets_are_hidden_in_an_envelopes_body_too(caplog: pytest.LogCaptureFixture) -> None:
    body = base64.b64encode(b'[[], {"password": "hunter2-hunter2"}, {}]').decode()
    keep_it(json.dumps({"body": body, "headers": {"task": "x", "api_key": "abcdefgh"}}).encode())
    raw = kept().raw
    assert '"task": "x"' in raw
    assert '"password": [hidden]' in raw
    assert not any(secret in raw + caplog.text for secret in ("hunter2", body, "abcdefgh"))


@pytest.mark.parametrize("item", [b"5", b'{"body": 5}', b'{"body": "no base64!"}', b"[" * 100_000, b"\xff{"])
def test_what_is_no_envelope_is_shown_as_it_is(item: bytes) -> None:
    assert readable(item) == item.decode(errors="backslashreplace")


@pytest.mark.django_db(transaction=True)
def test_no_more_are_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(unusable, "KEPT", 2)
    for item in (b"first", b"second", b"third"):
        keep_it(item)
    assert sorted(UnusableMessage.objects.values_list("raw", flat=True)) == ["first", "second"]
    assert "third" in caplog.text


def test_without_a_database_it_is_logged_and_the_worker_lives(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the mark for it, the database refuses every use."""
    keep_it(b"only in the log")
    assert "only in the log" in caplog.text
    assert "could not be kept" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_workers_main_process_keeps_no_connection() -> None:
    keep_it(b"x")
    assert connection.connection is None


def deadletters(*arguments: object) -> str:
    return command("deadletters", *arguments)


@pytest.mark.django_db(transaction=True)
def test_the_shell_lists_them_and_shows_one() -> None:
    keep_it(b"the one")
    keep_it(b"the other", queue="sorting")
    assert "2 messages" in deadletters("unusable")
    assert "1 messages" in deadletters("unusable", "--queue", "delivery")
    assert "0 messages" in deadletters("unusable", "--problem", "unknown_task")
    one = UnusableMessage.objects.get(queue="delivery")
    shown = deadletters("unusable", one.id)
    assert "the one" in shown
    assert "the other" not in shown
    with pytest.raises(CommandError, match="not kept"):
        deadletters("unusable", uuid4())
