"""Where the rows of reports come from: the deployment names a source for each kind (settings.REPORTS["SOURCES"])."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module

from django.conf import settings

Chunks = Iterator[tuple[datetime, Sequence[Sequence[object]]]]


@dataclass(frozen=True)
class Source:
    """The rows of a kind of report.

    `read(since, until, as_of)` yields them chunk by chunk, in a short transaction each, with the moment up to which
    it has read. It reads from rows that never change, so that it gives the same whenever it is run, as it was `as_of`.
    """

    columns: Sequence[str]
    read: Callable[[datetime, datetime, datetime], Chunks]


@cache
def sources() -> Mapping[str, Source]:
    """Return the deployment's sources by kind. The module is loaded at the first use: it knows the other apps."""
    found: Mapping[str, Source] = import_module(settings.REPORTS["SOURCES"]).SOURCES
    return found
