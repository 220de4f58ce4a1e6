import time

import pytest

from events.redaction import HIDDEN, hide_private, may_be_private

PRIVATE = [
    ("{'ada@example.com': (550, b'no')}", f"{{'{HIDDEN}': (550, b'no')}}"),
    ("to ada.b+c@mail.example.co.uk, bob@localhost", f"to {HIDDEN}, {HIDDEN}"),
    ("<ada@example.com> is busy", f"<{HIDDEN}> is busy"),
    ("/api/v1/users/ada%40example.com", f"/api/v1/users/{HIDDEN}"),
    ("email=ada@example.com&x=1", f"email={HIDDEN}&x=1"),
    ('"ada b"@example.com', f'"ada {HIDDEN}'),
    ("jürgen@exämple.de", HIDDEN),
    ("to a{b}@example.com now", f"to {HIDDEN} now"),
    ("to ada@[10.0.0.1] now", f"to {HIDDEN} now"),
    ("password=hunter2 of ada@example.com", f"password={HIDDEN} of {HIDDEN}"),
]
NOT_PRIVATE = [
    *("sorting@vm ready.", "<0193b1c4@post>", "redis://127.0.0.1:6379/0", "a @ b", "@example.com"),
    *("POST /api/v1/auth/token: 200 after 12 ms", "POST /api/v1/auth/token: 401", "a new token: 201, then 200"),
]
STATUS_OR_SECRET = [
    *("token: 200abc", "token: 2000", "token: 200-300", "token: 999"),
    *("token:200", "token=200", '"token": 200'),
]


@pytest.mark.parametrize(("text", "told"), PRIVATE)
def test_addresses_and_secrets_are_hidden(text: str, told: str) -> None:
    assert may_be_private(text)
    assert hide_private(text) == told


@pytest.mark.parametrize("text", NOT_PRIVATE)
def test_what_is_no_address_stays(text: str) -> None:
    assert hide_private(text) == text


@pytest.mark.parametrize("text", STATUS_OR_SECRET)
def test_only_an_http_status_after_a_colon_and_a_space_is_no_secret(text: str) -> None:
    assert "200" not in hide_private(text)
    assert HIDDEN in hide_private(text)


def test_most_lines_need_no_look() -> None:
    assert not may_be_private("sorting.sort_parcel 0193b1c4-7f39-7001: done at attempt 1 after 12 ms")


@pytest.mark.parametrize("text", ["a" * 200_000 + "@", "a@" * 100_000, "'a" * 100_000 + "@", "x@" + "a." * 100_000])
def test_a_long_text_takes_no_long_time(text: str) -> None:
    began = time.process_time()
    hide_private(text)
    assert time.process_time() - began < 1
