"""Runs a few lines of Python in a process whose environment is exactly what is given."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPLETE = {
    "DATABASE_URL": "postgres://nobody:secret@127.0.0.1:1/nothing",  # nobody listens on port 1
    "BROKER_URL": "redis://:secret@127.0.0.1:1/0",
    "SECRET_KEY": "only-for-tests-" + "s" * 40,
}


def run_python(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in the project's folder with these arguments and nothing but this environment."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
