"""One stream for all processes: every line whole, behind its process's name. And what of it a terminal shows."""

import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Collection
from logging.handlers import RotatingFileHandler
from pathlib import Path
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


LOG_BYTES = 20_000_000  # after which the file begins anew; the one before it is kept beside

# What tells of nothing wrong: a line at this level by Python's logging, PostgreSQL's LOG, and what the servers say of a
# start on a machine of one's own.
_ALL_IS_WELL = re.compile(
    r"\S+ \S+ (DEBUG|INFO) |.* (LOG|HINT):  |.*the database system is starting up$|.*Memory overcommit must be enabled"
)
_LINE = re.compile(r"\S+ \S+ [A-Z]+ |\S+ \S+ \S+ \[\d+\] ")  # the first of what is told, not one that goes on


class RunLog:
    """What `make run` does with the lines: all go to a file, and the terminal gets what a person is to see.

    That is what went wrong, and each request of the web's. VERBOSE=1 shows all. Who waits for a process to be ready
    hears it here.
    """

    def __init__(self, terminal: PrefixedLog, file: Path, *, verbose: bool) -> None:
        self._terminal = terminal
        self._file = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1)
        self._verbose = verbose
        self._is_shown: dict[str, bool] = {}  # by process: whether its last line was, for those that go on with it
        self._ready: set[str] = set()

    def __call__(self, name: str, line: str) -> None:
        self._file.handle(logging.makeLogRecord({"msg": f"{name:<14} | {line}"}))
        if " ready." in line:  # as Celery's workers say, in text and in JSON
            self._ready.add(name)
        if _LINE.match(line) or name not in self._is_shown:
            self._is_shown[name] = not _ALL_IS_WELL.match(line) or (name == "web" and "telemetry.request_line" in line)
        if self._verbose or self._is_shown[name]:
            self._terminal(name, line)

    def are_ready(self, names: Collection[str]) -> bool:
        """Tell whether all of these have said that they are ready."""
        return self._ready >= set(names)

    def text(self, text: str) -> None:
        """Show a text of several lines."""
        self._terminal.text(text)

    def close(self) -> None:
        self._file.close()
