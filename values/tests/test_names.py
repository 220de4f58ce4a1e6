from typing import Any

import pytest
from django.core.exceptions import ValidationError

from values.names import in_one_line, validate_name


@pytest.mark.parametrize(
    "name",
    ["", "Ada", "Ada O'Neil-Łukasiewicz, PhD.", "a / b: c // d", "\u05d0\u05d3\u05d4", "👩\u200d🔬 Ada", "ﷺ\u00a0"],
)
def test_a_line_of_text_is_a_name(name: str) -> None:
    validate_name(name)


@pytest.mark.parametrize("unfit", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "://"])
def test_line_breaks_control_characters_and_links_are_refused_and_taken_out(unfit: str) -> None:
    name = f"Ada{unfit}Lovelace"
    with pytest.raises(ValidationError):
        validate_name(name)
    assert in_one_line(name) == "Ada Lovelace"


@pytest.mark.parametrize("name", ["a://b", "://" * 3, "\r\n\r\n", ":\n//", " :/\0/ ", ":://" + "//"])
def test_what_is_taken_out_leaves_a_name(name: Any) -> None:
    validate_name(in_one_line(name))
