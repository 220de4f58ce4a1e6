"""Places at which tests make a process die or freeze, to prove what holds afterwards.

They do nothing unless FAILPOINTS names a folder: then a process that passes failpoint("relay.claimed") looks for the
file `relay.claimed` there, takes it away, and does what it says: `kill` or `stop`. One file is one death, whichever
process comes first. Nothing that comes over a network can name or make such a file.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

_FOLDER = os.environ.get("FAILPOINTS", "")
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def failpoint(name: str, reach: Callable[[], object] | None = None) -> None:
    """Do nothing, unless a test has armed this failpoint. `reach` is called first then, to send what waits."""
    if _FOLDER:
        _pass(Path(_FOLDER) / name, reach)


def _pass(file: Path, reach: Callable[[], object] | None) -> None:
    if reach and file.exists():
        reach()  # before the file is taken: by that a test knows that the process is as good as dead
    taken = file.with_name(f"{file.name} {os.getpid()}")
    try:
        file.rename(taken)  # of several processes at once, one succeeds
    except FileNotFoundError:
        return
    action = taken.read_text().strip()
    taken.unlink()
    os.kill(os.getpid(), _SIGNALS[action])
