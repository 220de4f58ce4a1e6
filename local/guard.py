"""Ends the processes of a supervisor that can no longer do it itself, because it was killed with -9.

The guard is a small process of its own, told through a pipe which process groups there are. The end of the
pipe is the end of the supervisor. (Linux's PR_SET_PDEATHSIG would reach no grandchild and nothing that ignores
the signal, and other systems have no such thing.) It is run as a file: standard library only.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

GRACE = 5.0  # seconds between asking and killing: enough for a worker's short task, and little enough for a person
POLL = 0.05  # seconds between two looks; the processes are not the guard's children, so it cannot wait for them


class Guard:
    """The supervisor's end of the pipe. The guard keeps the files `holds` open until it has finished."""

    def __init__(self, *, holds: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # it outlives the supervisor: no reader of its output is to wait
            stderr=subprocess.DEVNULL,
            pass_fds=holds,
            start_new_session=True,  # what kills the supervisor's group must leave the guard
        )

    def watch(self, group: int, how_to_end: signal.Signals) -> None:
        """Have the process group ended with this signal, should the supervisor vanish."""
        self._send(f"{group} {int(how_to_end)}\n")

    def forget(self, group: int) -> None:
        """Take back `watch`: the group has ended, and its number may soon be another's."""
        self._send(f"{group} 0\n")

    def close(self) -> None:
        """End the guard, and first all that it still watches."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard: the supervisor does without
            os.write(pipe.fileno(), line.encode())  # one write, so that threads cannot mix their lines


def signal_group(group: int, number: int) -> bool:
    """Signal a process group and say whether there is still somebody in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # the latter: only zombies are left, as macOS says it
        return False
    return True


def end_groups(groups: dict[int, int]) -> None:
    """Send each leader its signal, and after the grace SIGKILL to every group."""
    for leader, how in groups.items():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(leader, how)
    deadline = time.monotonic() + GRACE
    while any(signal_group(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(POLL)
    for group in groups:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    watched: dict[int, int] = {}
    for line in sys.stdin:
        group, how = map(int, line.split())
        if how:
            watched[group] = how
        else:
            watched.pop(group, None)
    end_groups(watched)


if __name__ == "__main__":
    main()
