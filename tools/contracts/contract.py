"""What a contract is: a promise to those outside, as text that a review can read and a release keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Contract:
    """One of the promises.

    `made` returns the files that the code makes of it. `text` returns all of it as one text, which a release keeps as
    contracts/released/NAME-VERSION plus `suffix`; `breaks` says what the code would break for readers of such a text.
    """

    name: str
    suffix: str
    made: Callable[[], Mapping[Path, str]]
    text: Callable[[], str]
    breaks: Callable[[str], list[str]]
