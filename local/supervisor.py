"""Keeps a set of programs running, and ends them together.

Why not a known process manager: honcho stops everything when one program ends, supervisor gives up after a
few tries and has no single stream of lines, circus wants ZeroMQ endpoints.
"""

import time
from collections.abc import Mapping, Sequence

from .guard import GRACE, Guard
from .log import Log
from .process import Command, Process


class Supervisor:
    """The programs by name. `log` takes each line of their output; supervisors may share a guard."""

    def __init__(self, *, log: Log, guard: Guard | None = None) -> None:
        self._log = log
        self._owns_guard = guard is None
        self._guard = guard or Guard()
        self.processes: dict[str, Process] = {}

    def add(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        """Add a program, not yet started; without `env` it gets our own environment."""
        return self.add_command(Command(name, argv, env))

    def add_command(self, command: Command) -> Process:
        """Add a program with all that can be said about one."""
        process = Process(command, log=self._log, guard=self._guard)
        self.processes[command.name] = process
        return process

    def start(self) -> None:
        for process in self.processes.values():
            process.start()

    def pid(self, name: str) -> int | None:
        """Return the program's process id; None between two lives."""
        return self.processes[name].pid

    def stop(self, grace: float = GRACE) -> None:
        """End all programs at once, and kill what is still there after `grace` seconds."""
        deadline = time.monotonic() + grace
        for process in self.processes.values():
            process.ask_to_stop()
        for process in self.processes.values():
            process.stop(max(0.0, deadline - time.monotonic()))
        if self._owns_guard:
            self._guard.close()

    def kill(self) -> None:
        """Kill all programs (-9): what a second Ctrl-C asks for, during `stop`."""
        for process in self.processes.values():
            process.ask_to_stop()  # so that it is not started again
            process.kill()
