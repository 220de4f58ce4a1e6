"""Processes that tests start: the environment that they get, and scripts that are in no package."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from testing import ROOT

SECRET_KEY = "only-for-tests-" + "x" * 40
COMPLETE = {
    "DATABASE_URL": "postgres://nobody:secret@127.0.0.1:1/nothing",  # nobody listens on port 1
    "BROKER_URL": "redis://:secret@127.0.0.1:1/0",
    "SECRET_KEY": SECRET_KEY,
}
# All is counted, and no limit is reached: every test is at one address.
HIGH_LIMITS = dict.fromkeys(
    (
        "RATE_LIMIT_USER",
        "RATE_LIMIT_ADDRESS",
        "SIGN_IN_LIMIT_PAIR",
        "SIGN_IN_LIMIT_ADDRESS",
        "SIGN_IN_LIMIT_ACCOUNT",
        "REGISTRATION_LIMIT_ADDRESS",
        "REGISTRATION_LIMIT_ACCOUNT",
        "REGISTRATION_LIMIT_ALL",
    ),
    "1000000",
)


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


def load(path: str) -> ModuleType:
    """A script that is in no package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
