"""Look for known vulnerabilities in what production installs: `python tools/audit.py`.

Exit status: 0 where every package was looked up and none is vulnerable, 1 where one is, 2 where some could not be
looked up, since an index that does not answer is no clean bill. With --tell it says the same and always ends with 0,
for `make lint`: neither an advisory published tonight nor a network that is down is the fault of the change at hand.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = str(Path(__file__).resolve().parents[1] / "requirements.lock")
SECONDS = 120  # time for all look-ups
SECONDS_TO_TELL = 20  # the same in `make lint`, which must not wait for a slow network
VULNERABLE, NOT_CHECKED = 1, 2  # exit statuses
COMMAND = [sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--require-hashes", "--disable-pip"]
OPTIONS = ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]


def main(arguments: list[str]) -> int:
    only_tell = "--tell" in arguments
    report, why_not = audit([*COMMAND, *OPTIONS], SECONDS_TO_TELL if only_tell else SECONDS)
    lines, status = ([f"audit: NOT CHECKED: {why_not}"], NOT_CHECKED) if report is None else read(report)
    print("\n".join(lines))
    return 0 if only_tell else status


def audit(command: list[str], seconds: float) -> tuple[list[dict[str, Any]] | None, str]:
    """Return pip-audit's report, or None and the reason why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        return json.loads(done.stdout)["dependencies"], ""
    except subprocess.TimeoutExpired:
        return None, f"the package index did not answer within {seconds:g} s"
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["pip-audit printed nothing"])[-1]
        return None, "the package index cannot be asked: " + last[:200]


def read(dependencies: list[dict[str, Any]]) -> tuple[list[str], int]:
    """Return the lines to print and the exit status."""
    known = [one for one in dependencies if "skip_reason" not in one]
    if not known:
        return ["audit: NOT CHECKED: this package index has no advisories"], NOT_CHECKED
    found = [
        f"audit: {one['name']} {one['version']}: {vuln['id']}, fixed in"
        f" {', '.join(vuln['fix_versions']) or 'no release yet'}"
        for one in known
        for vuln in one["vulns"]
    ]
    missing = [f"audit: {one['name']}: NOT CHECKED: {one['skip_reason']}" for one in dependencies if one not in known]
    counts = f"audit: {len(known)} of {len(dependencies)} packages looked up, {len(found)} known vulnerabilities"
    return [*found, *missing, counts], VULNERABLE if found else NOT_CHECKED if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
