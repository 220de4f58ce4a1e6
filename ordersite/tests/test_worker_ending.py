"""A worker that is told to end tells its pool processes, so that long handlers stop."""

import pytest
from celery.signals import worker_shutting_down

from events import jobs
from events.errors import Failure, classify
from testing.processes import COMPLETE, run_python

FORK = """
import os, sys
from events import jobs
ready, told = os.pipe()
child = os.fork()
if child == 0:
    os.read(ready, 1)
    try:
        jobs.give_way()
    except jobs.WorkerEnding:
        os._exit(7)
    os._exit(0)
jobs.give_way()
jobs.worker_is_ending()
os.write(told, b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_pool_process_gives_way_once_its_worker_is_told_to_end() -> None:
    assert run_python("-c", FORK, **COMPLETE).returncode == 7


def test_the_worker_s_signal_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_ending", bytearray(1))
    jobs.give_way()
    worker_shutting_down.send(sender=None, sig="SIGTERM", how="Warm", exitcode=0)
    with pytest.raises(jobs.WorkerEnding) as caught:
        jobs.give_way()
    assert classify(caught.value) is Failure.AWAY
