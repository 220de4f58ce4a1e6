import csv
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO

import pytest

from values.csv_text import harmless


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])  # noqa: RUF001
def test_a_text_that_a_spreadsheet_would_run_is_told_to_be_text(start: str) -> None:
    assert harmless(f"{start}1+1") == f"'{start}1+1"
    assert harmless(f"a{start}1") == f"a{start}1"


def test_a_formula_behind_a_semicolon_is_told_to_be_text() -> None:
    assert harmless("a;=1+1; b;-2") == "a;'=1+1; b;'-2"
    assert harmless("=1;@x") == "'=1;'@x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        (True, "True"),
        (-2, "-2"),
        (Decimal("-2.50"), "-2.50"),
        ("2-1", "2-1"),
        (datetime(2025, 3, 1, 12, 0, 0, 5, tzinfo=UTC), "2025-03-01T12:00:00.000005Z"),
        (datetime(2025, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2025-03-01T10:00:00Z"),
    ],
)
def test_other_values_are_themselves(value: object, text: str) -> None:
    assert harmless(value) == text


def test_a_row_can_be_read_again_whatever_stands_in_it() -> None:
    file = StringIO()
    csv.writer(file).writerow(map(harmless, ['"quoted"', "two\nlines", "a,b", "é"]))
    assert file.getvalue().endswith("\r\n")
    assert next(csv.reader(StringIO(file.getvalue(), newline=""))) == ['"quoted"', "two\nlines", "a,b", "é"]
