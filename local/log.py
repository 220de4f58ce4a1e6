"""One stream for all processes: every line whole, behind its process's name."""

import os
import signal
import threading
from collections.abc import Callable
from typing import TextIO

Log = Callable[[str, str], None]
"""Takes the name of a process and one line that it wrote (without the line's end)."""

# ANSI foreground colours, handed out in the order in which the processes first speak.
COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95, 94, 91)


class PrefixedLog:
    """A `Log` that writes `name | line`, one whole line at a time, whoever writes at the same moment."""

    def __init__(self, stream: TextIO, *, width: int = 0) -> None:
        self._stream = stream
        self._width = width
        # As no-color.org and force-color.org say; else colour is for a terminal.
        wanted = bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
        self._coloured = wanted and not os.environ.get("NO_COLOR")
        self._deaf = False
        self._colours: dict[str, int] = {}
        self._lock = threading.RLock()

    def __call__(self, name: str, line: str) -> None:
        prefix = f"{name:<{self._width}} |"
        with self._lock:
            if self._coloured:
                colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
                prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
            self._write(f"{prefix} {line}\n")

    def text(self, text: str) -> None:
        """Write several lines together and without a prefix, so that they can be copied."""
        with self._lock:
            self._write(text)

    def _write(self, text: str) -> None:
        if self._deaf:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # nobody reads any more (`make run | head`): stop, as if told to
            self._deaf = True
            os.kill(os.getpid(), signal.SIGTERM)
