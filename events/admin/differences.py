"""What a person changed of an event's data, line by line."""

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, NamedTuple

from django.utils.safestring import SafeString

from adminkit.pages import as_written, table

IN_WORDS = {"equal": "", "replace": "changed", "delete": "removed", "insert": "added"}


class Line(NamedTuple):
    """A line of the original beside what became of it; `what` is "" where nothing did."""

    what: str
    before: str
    after: str


def pretty(data: Any) -> str:
    """Return data as people read and edit them, in one order: that of PostgreSQL differs from that of the types."""
    return json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)


def difference(before: Any, after: Any) -> Iterator[Line]:
    """Yield the lines of both, side by side, with words for what differs: colours would tell not everybody."""
    old, new = pretty(before).splitlines(), pretty(after).splitlines()
    for kind, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield from _lines(kind, old[start:end], new[new_start:new_end])


def difference_table(before: Any, after: Any) -> SafeString:
    """Return the difference as a table."""
    rows = [(what, as_written(old), as_written(new)) for what, old, new in difference(before, after)]
    return table("The original data beside the edited ones", ["Difference", "Original", "Edited"], rows)


def _lines(kind: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    for before, after in zip_longest(old, new):
        what = IN_WORDS["insert" if before is None else "delete" if after is None else kind]
        yield Line(what, before or "", after or "")
