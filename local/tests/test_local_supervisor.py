"""The supervision of `make run`, with small real programs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from linecache import getline
from pathlib import Path
from typing import Any

import pytest

from local.process import FIRST_DELAY
from local.supervisor import Supervisor

PATIENCE = 10.0
"""Seconds to wait at most for something that takes a fraction of one."""

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 1:
    child = subprocess.Popen([sys.executable, __file__, "child"], stdout=subprocess.PIPE)
    child.stdout.readline()
    print(child.pid, flush=True)
else:
    print("deaf", flush=True)
time.sleep(60)
"""
"""Ignores SIGTERM, and so does its child, whose process id it prints once that is so."""

SUPERVISING = """
import sys, time
from local.supervisor import Supervisor
supervisor = Supervisor(log=lambda name, line: print(supervisor.pid(name), line, flush=True))
supervisor.add("stubborn", [sys.executable, sys.argv[1]])
supervisor.start()
time.sleep(60)
"""

Lines = list[tuple[str, str]]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """A zombie has ended: here nobody but the system's init would fetch its status."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def supervisor(lines: Lines) -> Iterator[Supervisor]:
    supervisor = Supervisor(log=lambda name, line: lines.append((name, line)))
    yield supervisor
    supervisor.stop(grace=0.5)


@pytest.fixture
def stubborn(tmp_path: Path) -> str:
    program = tmp_path / "stubborn.py"
    program.write_text(STUBBORN)
    return str(program)


def test_it_restarts_what_was_killed(supervisor: Supervisor) -> None:
    supervisor.add("sleeper", ["sleep", "60"])
    supervisor.start()
    wait_until(lambda: supervisor.pid("sleeper") is not None)
    first = supervisor.pid("sleeper")
    assert first
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: supervisor.pid("sleeper") not in (None, first))


def test_it_waits_longer_each_time_for_what_cannot_run(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.add("broken", ["sh", "-c", "exit 3"])
    started = time.monotonic()
    supervisor.start()
    wait_until(lambda: len(lines) == 3)
    assert [line for _, line in lines] == [
        "ended with 3; starting again in 0.25 s",
        "ended with 3; starting again in 0.5 s",
        "ended with 3; starting again in 1 s",
    ]
    assert time.monotonic() - started >= FIRST_DELAY + 2 * FIRST_DELAY


def test_it_says_so_when_a_program_is_missing(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.add("missing", ["/nowhere/program"])
    supervisor.start()
    wait_until(lambda: bool(lines))
    assert "cannot start" in lines[0][1]


def test_it_ends_the_children_of_what_died_before_it_restarts_it(
    supervisor: Supervisor, lines: Lines, stubborn: str
) -> None:
    supervisor.add("stubborn", [sys.executable, stubborn])
    supervisor.start()
    wait_until(lambda: bool(lines))
    child = int(lines[0][1])
    leader = supervisor.pid("stubborn")
    assert leader
    os.kill(leader, signal.SIGKILL)
    wait_until(lambda: len(lines) == 3)
    assert not is_running(child)
    assert lines[1] == ("stubborn", "ended by SIGKILL; starting again in 0.25 s")


def test_stop_kills_the_whole_group_where_sigterm_is_ignored(
    supervisor: Supervisor, lines: Lines, stubborn: str
) -> None:
    supervisor.add("stubborn", [sys.executable, stubborn])
    supervisor.start()
    wait_until(lambda: bool(lines))
    leader, child = supervisor.pid("stubborn"), int(lines[0][1])
    assert leader
    supervisor.stop(grace=0.2)
    assert not is_running(leader)
    wait_until(lambda: not is_running(child))


def test_stop_lets_a_program_finish(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.add("tidy", ["sh", "-c", "trap 'echo tidied up; exit 0' TERM; echo up; sleep 60 & wait"])
    supervisor.start()
    wait_until(lambda: bool(lines))
    supervisor.stop()
    assert lines == [("tidy", "up"), ("tidy", "tidied up")]


def test_one_that_is_about_to_end_is_started_again(supervisor: Supervisor, lines: Lines) -> None:
    """Its output is held open by what it started, so its last words are waited for after its process is gone."""
    child = "subprocess.Popen(['sleep', '2'], start_new_session=True)"
    code = f"import subprocess, time; {child}; print('up', flush=True); time.sleep(60)"
    process = supervisor.add("program", [sys.executable, "-c", code])
    process.start()
    wait_until(lambda: ("program", "up") in lines)
    process.ask_to_stop()
    wait_until(lambda: process.pid is None)
    process.start()
    wait_until(lambda: lines.count(("program", "up")) == 2)


def test_a_program_is_asked_once_however_often_its_process_is(supervisor: Supervisor, lines: Lines) -> None:
    process = supervisor.add("slow", ["sh", "-c", "trap 'echo asked' TERM; echo up; while :; do sleep 60 & wait; done"])
    process.start()
    wait_until(lambda: bool(lines))
    process.ask_to_stop()
    wait_until(lambda: ("slow", "asked") in lines)
    process.stop(0.5)
    assert lines.count(("slow", "asked")) == 1


def asked_twice(supervisor: Supervisor, lines: Lines, step: int) -> bool:
    """Ask a resting process to stop, and again before this line that Python then runs; tell whether there is one."""
    process, steps = supervisor.add(f"missing-{step}", ["/nowhere/program"]), count()
    process.start()
    wait_until(lambda: f"missing-{step}" in dict(lines))

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if event == "line" and next(steps) == step:
            process.ask_to_stop()
        return trace

    signal.setitimer(signal.ITIMER_REAL, PATIENCE)  # who waits for a lock that it holds itself would wait for ever
    sys.settrace(trace)
    try:
        process.ask_to_stop()
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
    process.stop(PATIENCE)
    return next(steps) > step


def test_a_second_ctrl_c_may_come_at_any_point_of_the_first(supervisor: Supervisor, lines: Lines) -> None:
    def give_up(*_: Any) -> None:
        raise AssertionError("ask_to_stop() waits for a lock that this thread holds")

    before = signal.signal(signal.SIGALRM, give_up)
    try:
        assert next(step for step in count() if not asked_twice(supervisor, lines, step)) > 5
    finally:
        signal.signal(signal.SIGALRM, before)


def interrupted(supervisor: Supervisor, step: int) -> bool:
    """Start a program, with a Ctrl-C before this line that Python then runs; tell whether there is one."""
    process, steps = supervisor.add(f"interrupted-{step}", ["sleep", "60"]), count()

    def trace(frame: Any, event: str, argument: Any) -> Any:
        ours = frame.f_locals.get("self") in (
            process,
            process._told,
        )  # nothing else in threading, which does not bear it
        # A signal is not heard between taking a lock and its block, nor between that and letting go.
        locking = getline(frame.f_code.co_filename, frame.f_lineno).strip().startswith("with ")
        if event == "line" and ours and not locking and next(steps) == step:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        process.start()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
        began = time.monotonic()
        process.stop(PATIENCE)
        assert time.monotonic() - began < PATIENCE, "the interrupted start() kept the lock"
    return False


def test_a_first_ctrl_c_may_come_at_any_point_of_a_start(supervisor: Supervisor) -> None:
    assert next(step for step in count() if not interrupted(supervisor, step)) > 3


def test_a_line_cut_short_by_a_kill_stays_apart(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.add("cut", ["sh", "-c", "printf 'half a li'; kill -9 $$"])
    supervisor.start()
    wait_until(lambda: len(lines) >= 2)
    assert lines[:2] == [("cut", "half a li"), ("cut", "ended by SIGKILL; starting again in 0.25 s")]


def test_a_supervisor_killed_with_9_leaves_nothing(stubborn: str) -> None:
    supervising = subprocess.Popen([sys.executable, "-c", SUPERVISING, stubborn], stdout=subprocess.PIPE, text=True)
    assert supervising.stdout
    leader, child = map(int, supervising.stdout.readline().split())
    supervising.kill()
    supervising.communicate()
    wait_until(lambda: not is_running(leader) and not is_running(child))
