import os
import signal
import subprocess
import sys

import pytest

from testing import ROOT
from testing.processes import COMPLETE


@pytest.mark.parametrize("command", ["help", "diffsettings"])
def test_a_command_whose_reader_has_gone_ends_without_a_word(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", command],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **COMPLETE},
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
