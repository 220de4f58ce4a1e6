"""The table of faults: read from docs/faults.md, run by pytest, each row with its outcome."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from testing import ROOT

PAGE = ROOT / "docs" / "faults.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py::\w+)`")


@dataclass(frozen=True)
class Fault:
    """A row of the table: its number, its words, and the tests that prove it."""

    row: int
    fault: str
    tests: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What became of a row's tests. `result`: passed, failed, or skipped."""

    row: int
    fault: str
    tests: int
    result: str
    seconds: float


def faults() -> list[Fault]:
    """Return the table, as the page has it."""
    return [Fault(int(row), fault.strip(), TEST.findall(tests)) for row, fault, tests in ROW.findall(PAGE.read_text())]


def run(folder: Path) -> list[Outcome]:
    """Run the tests of all rows, printing as they go, and return the outcome of each row."""
    report = folder / "table.xml"
    tests = sorted({test for fault in faults() for test in fault.tests})
    command = [sys.executable, "-m", "pytest", "-m", "", "-v", "--no-header", f"--junitxml={report}", *tests]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"EVIDENCE": str(folder)}, check=False)
    cases = _cases(report)
    return [
        _outcome(fault, [case for test in fault.tests for case in cases.get(test, [])])
        for fault in faults()
        if fault.tests
    ]


def of_storm(*, good: bool, seconds: float) -> list[Outcome]:
    """Return the outcome of the row whose proof is the storm: the one without tests."""
    result = "passed" if good else "failed"
    return [Outcome(fault.row, fault.fault, 1, result, seconds) for fault in faults() if not fault.tests]


def _cases(report: Path) -> dict[str, list[tuple[str, float]]]:
    """Return (result, seconds) of each run of each test, by the test's id without its parameters."""
    cases: dict[str, list[tuple[str, float]]] = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name'].partition('[')[0]}"
        bad = case.find("failure") is not None or case.find("error") is not None
        result = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        cases.setdefault(name, []).append((result, float(case.attrib["time"])))
    return cases


def _outcome(fault: Fault, cases: Sequence[tuple[str, float]]) -> Outcome:
    results = {result for result, _ in cases}
    worst = next((result for result in ("failed", "skipped", "passed") if result in results), "failed")
    return Outcome(fault.row, fault.fault, len(cases), worst, sum(seconds for _, seconds in cases))
