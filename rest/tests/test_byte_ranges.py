"""Which part of a file a request asks for."""

import pytest
from django.test import RequestFactory

from rest.byte_ranges import RangeNotSatisfiable, byte_range

SIZE = 1_000


def asked(header: str, if_range: str = "", method: str = "GET") -> tuple[int, int] | None:
    headers = {"Range": header} | ({"If-Range": if_range} if if_range else {})
    request = RequestFactory().generic(method, "/", headers=headers)
    return byte_range(request, size=SIZE, etag='"one"')


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-99", (0, 99)),
        ("bytes=900-", (900, 999)),
        ("bytes=900-5000", (900, 999)),
        ("bytes=-1", (999, 999)),
        ("bytes=-5000", (0, 999)),
        ("bytes = 5 - 6", (5, 6)),
    ],
)
def test_a_part_is_asked_for_by_its_first_and_last_byte_or_by_its_length(header: str, part: tuple[int, int]) -> None:
    assert asked(header) == part


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=0-" + "9" * 40],
)
def test_what_is_no_part_means_the_whole_file(header: str) -> None:
    assert asked(header) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
def test_a_part_beyond_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable, match="1,000 bytes"):
        asked(header)


def test_the_whole_file_is_sent_where_the_client_has_a_part_of_another_one() -> None:
    assert asked("bytes=5-", if_range='"one"') == (5, 999)
    assert asked("bytes=5-", if_range='"other"') is None
    assert asked("bytes=5-", if_range="Tue, 15 Nov 1994 12:45:26 GMT") is None
    assert asked("bytes=5-", method="HEAD") is None
