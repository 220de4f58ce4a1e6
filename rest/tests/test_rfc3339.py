from datetime import UTC, date, datetime

import pytest

from rest.rfc3339 import parse_day, parse_time

NOON = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-05T12:00:00Z", NOON),
        ("2026-01-05t12:00:00z", NOON),
        ("2026-01-05T12:00:00-00:00", NOON),
        ("2026-01-05T13:30:00+01:30", NOON),
        ("2026-01-04T12:01:00-23:59", NOON),
        ("2026-01-05T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2026-01-05T12:00:00.1234569Z", NOON.replace(microsecond=123_456)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
        # The examples of RFC 3339, 5.8.
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000, tzinfo=UTC)),
        ("1996-12-19T16:39:57-08:00", datetime(1996, 12, 20, 0, 39, 57, tzinfo=UTC)),
        ("1990-12-31T23:59:60Z", datetime(1991, 1, 1, tzinfo=UTC)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870_000, tzinfo=UTC)),
    ],
)
def test_a_time_of_rfc_3339_is_read(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-05",
        "2026-01-05T12:00:00",
        "2026-01-05T12:00Z",
        "2026-01-05 12:00:00Z",
        "2026-01-05_12:00:00Z",
        "2026-01-05T12:00:00 Z",
        " 2026-01-05T12:00:00Z",
        "2026-01-05T12:00:00Z\n",
        "2026-W01-1T00:00:00Z",
        "2026-005T00:00:00Z",
        "20260105T120000Z",
        "+2026-01-05T12:00:00Z",
        "2026-1-5T12:00:00Z",
        "2026-01-05T12:00:00,5Z",
        "2026-01-05T12:00:00.Z",
        "2026-01-05T12:00:00+01",
        "2026-01-05T12:00:00+0100",
        "2026-01-05T12:00:00+24:00",
        "2026-01-05T12:00:00+01:60",
        "2026-01-05T12:00:00+01:00:00",
        "2026-01-05T12:00:00\u221201:00",
        "2026-01-05T24:00:00Z",
        "2026-01-05T12:60:00Z",
        "2026-01-05T12:00:61Z",
        "2026-01-05T23:59:60Z",  # not a month's end
        "1990-12-31T23:59:60-08:00",  # 07:59:60 UTC
        "2026-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:60Z",
        "0001-01-01T00:00:00+14:00",
        "\uff12026-01-05T12:00:00Z",
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|second|year|range|month|hour|minute"):
        parse_time(text)


def test_a_day_is_a_full_date_and_nothing_else() -> None:
    assert parse_day("2026-01-05") == date(2026, 1, 5)
    for text in (
        "",
        "20260105",
        "2026-W01-1",
        "2026-005",
        "2026-1-5",
        "2026-01-05T00:00:00Z",
        "2026-02-29",
        " 2026-01-05",
    ):
        with pytest.raises(ValueError, match="day"):
            parse_day(text)
