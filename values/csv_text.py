"""Values as the cells of a CSV file (RFC 4180, UTF-8) that does no harm in a spreadsheet; for Excel, with a mark."""

import re
from datetime import UTC, datetime
from decimal import Decimal

EXCEL = "csv-excel"
FORMATS = ("csv", EXCEL)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  # what Excel takes for one
# Where lists are separated by semicolons Excel makes new cells at these, whatever is quoted.
_INNER = re.compile(r"([;\t\r\n]\s*)(?=[=+\-@＝＋－＠])")  # noqa: RUF001
NUMBER = (int, float, Decimal)  # of which a minus is part


def mark(file_format: str) -> str:
    """Return what a file of this format begins with: Excel takes a file for UTF-8 only with a byte order mark."""
    return "\ufeff" if file_format == EXCEL else ""


def harmless(value: object) -> str:
    """Return a cell's text; one that a spreadsheet would run as a formula is told to be text by an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = str(value)
    return text if isinstance(value, NUMBER) else _INNER.sub(r"\1'", f"'{text}" if text.startswith(FORMULA) else text)
