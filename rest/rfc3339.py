"""Times and days as clients give them: exactly as RFC 3339 writes them, and nothing else that ISO 8601 allows."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rest_framework import serializers

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    rf"({_DAY.pattern}T\d\d:\d\d:)(\d\d)((?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))", re.ASCII | re.IGNORECASE
)
_LOST_PLUS = re.compile(r"[^ ]+ \d\d:\d\d", re.ASCII)


def parse_day(text: str) -> date:
    """Return a day such as `2026-01-05` (full-date). Raises ValueError."""
    if not _DAY.fullmatch(text):
        raise ValueError(f"{text!r} is not a day such as 2026-01-05")
    return date.fromisoformat(text)


def parse_time(text: str) -> datetime:
    """Return a time such as `2026-01-05T09:30:00Z` or `2026-01-05t10:30:00.25+01:00` (date-time), in UTC.

    What is finer than a microsecond is cut off. A leap second, 23:59:60 UTC at a month's end, is the second after it,
    as in PostgreSQL: neither knows one. Raises ValueError, also for a time outside the years 1 to 9999 in UTC.
    """
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is not a time such as 2026-01-05T09:30:00Z")
    minute, second, rest = parts.groups()
    leap = second == "60"
    written = datetime.fromisoformat(f"{minute}{'59' if leap else second}{rest}".upper())
    try:
        moment = written.astimezone(UTC) + timedelta(seconds=int(leap))
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999") from error
    if leap and (moment.day, moment.hour, moment.minute, moment.second) != (1, 0, 0, 0):
        raise ValueError(f"{text!r} has no leap second")
    return moment


class TimeField(serializers.DateTimeField):
    """A time that a client gives."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return parse_time(str(value))
        except ValueError as error:
            hint = " A + in a query stands for a space: write it as %2B." if _LOST_PLUS.fullmatch(str(value)) else ""
            raise serializers.ValidationError(
                f"Give a time as in RFC 3339, with its offset or Z, such as 2026-01-05T09:30:00Z.{hint}", "invalid"
            ) from error


class DayField(serializers.DateField):
    """A day that a client gives."""

    def to_internal_value(self, value: Any) -> date:
        try:
            return parse_day(str(value))
        except ValueError as error:
            raise serializers.ValidationError("Give a day such as 2026-01-05.", "invalid") from error
