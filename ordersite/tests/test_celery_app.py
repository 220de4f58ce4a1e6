"""The Celery app as Celery's own script starts it, whose folder is another than ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testing import ROOT

SCRIPT = Path(sys.executable).with_name("celery")
LOADED = "import sys; from ordersite.celery import app; app.conf.beat_schedule; print('users.models' in sys.modules)"


def environment(kind: str) -> dict[str, str]:
    return {**os.environ, "PROCESS_KIND": kind, "PYTHONPATH": "", "DJANGO_SETTINGS_MODULE": "ordersite.settings"}


@pytest.mark.parametrize(("kind", "results"), [("beat", "disabled"), ("flower", "disabled"), ("", "ordersite.results")])
def test_it_finds_the_project_and_beat_and_flower_keep_no_results(kind: str, results: str) -> None:
    argv = [str(SCRIPT), "-A", "ordersite", "report"]
    done = subprocess.run(argv, cwd=ROOT, env=environment(kind), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"results:{results}" in done.stdout


@pytest.mark.parametrize("kind", ["beat", "flower"])
def test_who_has_no_tasks_loads_no_apps(kind: str) -> None:
    argv = [sys.executable, "-c", LOADED]
    done = subprocess.run(argv, cwd=ROOT, env=environment(kind), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_command_in_their_container_has_the_apps() -> None:
    argv = [sys.executable, "manage.py", "check"]
    done = subprocess.run(argv, cwd=ROOT, env=environment("beat"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
