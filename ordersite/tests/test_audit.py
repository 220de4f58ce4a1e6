"""What `make audit` and `make lint` say of known vulnerabilities."""

import sys
from types import ModuleType
from typing import Any

import pytest

from ordersite.tests.test_docker_files import load

FINE = {"name": "django", "version": "5.2.19", "vulns": []}
BAD = {"name": "left-pad", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
UNKNOWN = {"name": "mine", "skip_reason": "Dependency not found"}


@pytest.fixture
def audit() -> ModuleType:
    return load("tools/audit.py")


def prints(text: str) -> list[str]:
    return [sys.executable, "-c", f"print({text!r})"]


def test_nothing_known_is_told(audit: ModuleType) -> None:
    assert audit.read([FINE, UNKNOWN]) == (["audit: 1 of 2 packages looked up, 0 known vulnerabilities"], False)


def test_a_vulnerability_is_told_with_what_mends_it(audit: ModuleType) -> None:
    lines, found = audit.read([FINE, BAD])
    assert found
    assert lines[0] == "audit: left-pad 1.0: PYSEC-1, mended in 1.1, 2.0"


def test_an_index_without_advisories_is_no_clean_bill(audit: ModuleType) -> None:
    assert audit.read([UNKNOWN]) == (["audit: skipped, since this package index knows of no advisories"], False)


def test_a_vulnerability_fails_the_audit_and_only_is_told_by_lint(
    audit: ModuleType, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(audit, "audit", lambda _: ([BAD], ""))
    assert (audit.main([]), audit.main(["--tell"])) == (1, 0)
    assert capsys.readouterr().out.count("PYSEC-1") == 2


def test_without_a_network_it_is_skipped_with_a_clear_line(audit: ModuleType, capsys: Any, monkeypatch: Any) -> None:
    assert audit.audit([sys.executable, "-c", "raise SystemExit('no route to host')"]) == (
        None, "the package index cannot be asked: no route to host",
    )  # fmt: skip
    assert audit.audit(prints('{"dependencies": []}')) == ([], "")
    monkeypatch.setattr(audit, "SECONDS", 0.05)
    assert audit.audit([sys.executable, "-c", "import time; time.sleep(60)"])[1].endswith("within 0.05 s")
    monkeypatch.setattr(audit, "audit", lambda _: (None, "so it is"))
    assert audit.main([]) == 0
    assert capsys.readouterr().out == "audit: skipped, since so it is\n"
