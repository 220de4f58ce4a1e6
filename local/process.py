"""One program that is kept running until it is stopped."""

import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from .guard import Guard, signal_group
from .log import Log

FIRST_DELAY = 0.25  # seconds before the first restart: a crash heals before a person sees it
LONGEST_DELAY = 10.0  # seconds between restarts at most: a program that cannot start must not eat the machine
CALM = 10.0  # a program that lived this many seconds had started well: its next restart is quick again
LAST_WORDS = 0.2  # seconds to read what a dead program had written. Its grandchildren may hold the pipe open for longer
KILLED = 5.0  # seconds for the kernel to end what got SIGKILL: only what is stuck in it (a dead disk) takes longer


@dataclass(frozen=True)
class Command:
    """What to run, and how. `user` is a system user to become, which only root can."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None


class Process:
    """A thread that runs the command, and runs it again with a back-off when it ends by itself."""

    def __init__(self, command: Command, *, log: Log, guard: Guard) -> None:
        self.command = command
        self._log = log
        self._guard = guard
        self._child: subprocess.Popen[bytes] | None = None
        self._asked: subprocess.Popen[bytes] | None = None  # which was last asked to stop
        self._thread: threading.Thread | None = None
        self._stopping = False
        # Re-entrant: a signal handler may take it while the code that it interrupted holds it. An Event's lock is not.
        # Taken as `with self._lock`: no signal comes in between, as one may in the methods of a Condition.
        self._lock = threading.RLock()
        self._told = threading.Condition(self._lock)

    @property
    def pid(self) -> int | None:
        """The process id; None between two lives."""
        child = self._child
        return child.pid if child and child.poll() is None else None

    def start(self) -> None:
        """Keep the program running from now on; it does nothing where that is so already.

        Where it was asked to stop and has not quite ended, its end is waited for.
        """
        if self._stopping and self._thread and self._thread.is_alive():
            self._thread.join()
        with self._lock:
            if self._thread and self._thread.is_alive():
                return
            self._stopping = False
            self._thread = threading.Thread(target=self._keep_running, name=self.command.name, daemon=True)
            self._thread.start()

    def ask_to_stop(self) -> None:
        with self._lock:
            if not self._stopping:  # one notify_all() must not run within another
                self._stopping = True
                self._told.notify_all()
            if self.pid and self._child and self._child is not self._asked:  # a second signal may end its tidying up
                self._child.send_signal(self.command.stop_signal)
                self._asked = self._child

    def stop(self, grace: float) -> None:
        """End the program within `grace` seconds, or kill it with all that it started."""
        self.ask_to_stop()
        if not (self._thread and self._thread.is_alive()):  # an interrupted start() may have made one and not begun it
            return
        self._thread.join(grace)
        if self._thread.is_alive():
            self._log(self.command.name, f"still there after {grace:.1f} s: killed")
            self.kill()
            self._thread.join(KILLED)

    def kill(self) -> None:
        """Kill the program and all that it started (-9); it is restarted, unless stopped."""
        if pid := self.pid:
            signal_group(pid, signal.SIGKILL)

    def _keep_running(self) -> None:
        delay = FIRST_DELAY
        while not self._stopping:
            started = time.monotonic()
            how = self._run_once()
            if self._stopping:
                return
            if time.monotonic() - started >= CALM:
                delay = FIRST_DELAY
            self._log(self.command.name, f"{how}; starting again in {delay:g} s")
            with self._lock:
                self._told.wait_for(lambda: self._stopping, delay)
            delay = min(delay * 2, LONGEST_DELAY)

    def _run_once(self) -> str:
        """Run the program to its end, and say how that was."""
        try:
            child = self._spawn()
        except OSError as error:
            return f"cannot start: {error}"
        if child is None:
            return "stopped"
        reader = threading.Thread(target=self._forward, args=(child.stdout,), daemon=True)
        reader.start()
        status = child.wait()
        signal_group(child.pid, signal.SIGKILL)  # what it started must not live on with its port and its locks
        self._guard.forget(child.pid)
        reader.join(LAST_WORDS)
        return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._lock:  # so that ask_to_stop() comes before the child or sees it
            if self._stopping:
                return None
            self._child = subprocess.Popen(
                self.command.argv,
                env=self.command.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor only, and it decides
                **become(self.command.user),
            )
            self._guard.watch(self._child.pid, self.command.stop_signal)
            return self._child

    def _forward(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._log(self.command.name, line.decode(errors="replace").rstrip("\r\n"))


def become(user: str | None) -> dict[str, Any]:
    """Return what `subprocess` needs to run a program as this user and no more."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
