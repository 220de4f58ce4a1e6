"""What the commands of this folder share: a folder for the logs, an end by Ctrl-C, what is chosen, and progress."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from local.errors import LocalError


def run_in_folder(prefix: str, work: Callable[[Path], None]) -> int:
    """Do the work in a folder of its own, which is kept only where something went wrong; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it, too, ends what was started
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        work(folder)
    except LocalError as error:
        print(f"{error}\nThe log is {folder / 'log'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def chosen(variable: str, names: list[str]) -> list[str]:
    """Return what the variable names, comma-separated; all where it is not set. Raises LocalError."""
    given = [name for name in os.environ.get(variable, "").split(",") if name]
    if unknown := set(given) - set(names):
        raise LocalError(f"{variable}={','.join(sorted(unknown))} is none of {', '.join(names)}")
    return [name for name in names if name in given] or names


def number(variable: str, default: int) -> int:
    """Return the variable's number, which is 1 or more. Raises LocalError."""
    given = os.environ.get(variable) or str(default)
    if not given.isdecimal() or not int(given):
        raise LocalError(f"{variable}={given} is no number from 1 on")
    return int(given)
