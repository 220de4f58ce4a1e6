"""A progress bar for commands that take their time."""

import sys
from typing import Any

import click


def bar(label: str, length: int) -> Any:
    """Return a progress bar on standard error; where nobody watches, it is its label alone."""
    return click.progressbar(length=length, label=label, file=sys.stderr)
