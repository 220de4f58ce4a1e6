"""Reads what must stay bounded while a system is under load: memory, and the broker's lists."""

import subprocess
import threading
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType

from redis import Redis

from tests.faults.system import FaultySystem

EVERY = 0.2  # seconds between two looks


def memory(system: FaultySystem) -> dict[str, int]:
    """Return the resident memory of each process with all that it started, in bytes."""
    table = subprocess.run(["ps", "-axo", "pgid=,rss="], capture_output=True, text=True, check=True).stdout
    of_group: dict[int, int] = defaultdict(int)
    for group, kilobytes in (line.split() for line in table.splitlines()):
        of_group[int(group)] += int(kilobytes) * 1024
    pids = {name: system.supervisor.pid(name) for name in system.supervisor.processes}
    return {name: of_group[pid] for name, pid in pids.items() if pid}


class LongestLists:
    """Inside the `with` block, looks at the broker's lists again and again; `longest` is the most that each had."""

    def __init__(self, system: FaultySystem, queues: Mapping[str, int]) -> None:
        self._broker = Redis.from_url(system.environment["BROKER_URL"])
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.longest = dict.fromkeys(queues, 0)

    def __enter__(self) -> "LongestLists":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._broker.close()

    def _look(self) -> None:
        while not self._ending.wait(EVERY):
            for queue, longest in self.longest.items():
                self.longest[queue] = max(longest, int(self._broker.llen(queue)))
