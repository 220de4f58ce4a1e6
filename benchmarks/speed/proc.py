"""What Linux tells of processes. One that ends while it is looked at counts for nothing: its parent has its time."""

import os
from collections.abc import Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def with_children(pid: int) -> Sequence[int]:
    """Return a process and all that it started."""
    folder = Path(f"/proc/{pid}/task")
    try:
        tasks = list(folder.iterdir())
    except OSError:
        return []
    children = [int(child) for task in tasks for child in _read(task / "children").split()]
    return [pid, *(each for child in children for each in with_children(child))]


def milliseconds(pid: int) -> float:
    """Return the processor time that a process, what it started, and what of that has ended have used."""
    return sum(_of_one(each, whole=each == pid) for each in with_children(pid))


def megabytes(pid: int) -> float:
    """Return a process's memory, of what it shares its part."""
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def peak_megabytes(pid: int) -> float:
    """Return the memory that a process had at most since it began, all of what it shares counted too."""
    lines = _read(Path(f"/proc/{pid}/status")).splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _of_one(pid: int, *, whole: bool) -> float:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(") ")[2].split()[11:15]
    user, system, ended_user, ended_system = map(int, fields or "0000")
    return 1_000 * (user + system + (ended_user + ended_system if whole else 0)) / TICKS


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
