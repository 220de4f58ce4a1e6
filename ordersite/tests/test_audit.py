"""What `make audit` and `make lint` say of known vulnerabilities."""

import sys
from types import ModuleType
from typing import Any

import pytest
import yaml

from testing import ROOT
from testing.processes import load

FINE = {"name": "django", "version": "5.2.19", "vulns": []}
BAD = {"name": "left-pad", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
UNKNOWN = {"name": "mine", "skip_reason": "Dependency not found"}


@pytest.fixture
def audit() -> ModuleType:
    return load("tools/audit.py")


def prints(text: str) -> list[str]:
    return [sys.executable, "-c", f"print({text!r})"]


def test_all_looked_up_and_nothing_known_passes(audit: ModuleType) -> None:
    assert audit.read([FINE]) == (["audit: 1 of 1 packages looked up, 0 known vulnerabilities"], 0)


def test_a_vulnerability_is_told_with_the_releases_that_fix_it(audit: ModuleType) -> None:
    lines, status = audit.read([FINE, BAD])
    assert status == audit.VULNERABLE
    assert lines[0] == "audit: left-pad 1.0: PYSEC-1, fixed in 1.1, 2.0"


@pytest.mark.parametrize("packages", [[UNKNOWN], [FINE, UNKNOWN]], ids=["none", "not all"])
def test_packages_that_could_not_be_looked_up_do_not_pass(audit: ModuleType, packages: list[dict[str, Any]]) -> None:
    lines, status = audit.read(packages)
    assert status == audit.NOT_CHECKED
    assert "NOT CHECKED" in lines[0]


def test_a_vulnerability_fails_the_audit_and_lint_only_tells_it(
    audit: ModuleType, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(audit, "audit", lambda *_: ([BAD], ""))
    assert (audit.main([]), audit.main(["--tell"])) == (audit.VULNERABLE, 0)
    assert capsys.readouterr().out.count("PYSEC-1") == 2


def test_pip_audits_report_or_its_error_is_read(audit: ModuleType) -> None:
    assert audit.audit(prints('{"dependencies": []}'), 20) == ([], "")
    assert audit.audit([sys.executable, "-c", "raise SystemExit('no route to host')"], 20) == (
        None, "the package index cannot be asked: no route to host",
    )  # fmt: skip
    assert audit.audit([sys.executable, "-c", "import time; time.sleep(60)"], 0.05)[1].endswith("within 0.05 s")


def test_without_a_network_the_audit_fails_and_lint_only_tells_it(
    audit: ModuleType, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(audit, "audit", lambda *_: (None, "no network"))
    assert (audit.main([]), audit.main(["--tell"])) == (audit.NOT_CHECKED, 0)
    assert capsys.readouterr().out == "audit: NOT CHECKED: no network\n" * 2


def test_ci_runs_the_audit_that_can_fail() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert "make audit" in [step.get("run") for step in jobs["audit"]["steps"]]
    recipe = (ROOT / "Makefile").read_text().split("\naudit:")[1].split("\n\n")[0]
    assert recipe.endswith("/python tools/audit.py")
