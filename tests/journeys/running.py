"""Starts a system for a session of tests, and removes it afterwards."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.journeys import books
from tests.journeys.system import System

S = TypeVar("S", bound=System)


@contextmanager
def run_started(make: Callable[[Path], S]) -> Iterator[S]:
    """Run a system until the block ends. (Not in pytest's own folder: it is closed to PostgreSQL's user.)"""
    folder = Path(tempfile.mkdtemp(prefix="ordersite-system-"))
    system = make(folder)
    try:
        system.start()
        books.settle(system, seconds=60)  # the demo orders
        yield system
    finally:
        system.stop()
    shutil.rmtree(folder, ignore_errors=True)
