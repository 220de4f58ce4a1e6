"""The code of docs/integrate.md, as a newcomer runs it beside the running system."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testing import pages
from tests.journeys.system import System

PAGE = "docs/integrate.md"
MISSING = [tool for tool in ("bash", "curl", "jq") if not shutil.which(tool)]


def newest_status(system: System) -> str:
    return str(system.sql("SELECT status FROM orders_order ORDER BY id DESC LIMIT 1")[0][0])


def run(system: System, *command: str) -> str:
    done = subprocess.run(
        command,
        env=system.environment | {"SHOP": system.web},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_the_shell_s_commands_place_an_order_and_cancel_it(system: System) -> None:
    told = run(system, "bash", "-euo", "pipefail", "-c", pages.code(PAGE, "sh"))
    assert "is confirmed\ncancelled\n" in told
    assert newest_status(system) == "cancelled"


def test_the_python_client_places_an_order_and_sees_its_end(system: System, tmp_path: Path) -> None:
    script = tmp_path / "client.py"
    script.write_text(pages.code(PAGE, "python"))
    assert "is confirmed: 19.60 EUR" in run(system, sys.executable, str(script))
    assert newest_status(system) == "confirmed"


def test_the_error_on_the_page_is_what_the_api_answers(system: System) -> None:
    shown = json.loads(pages.code(PAGE, "json"))
    person = system.person("ada")
    answer = person.post("/orders", {"items": [{"sku": "TEA-SENCHA-100", "quantity": 0}]})
    assert answer.json | {"request_id": ""} == shown | {"request_id": ""}
