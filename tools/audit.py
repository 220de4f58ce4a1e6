"""Look for known vulnerabilities in what production installs: `python tools/audit.py` fails where there are any.

With --tell it only says so: an advisory that was published tonight is no fault of the change that is looked at.
Without a package index that knows of advisories it is skipped, and says so.
"""

import json
import os
import subprocess
import sys
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCK = os.path.join(ROOT, "requirements.lock")
SECONDS = 20
"""Time for all of it: `make lint` is not to wait for a slow network."""

COMMAND = [sys.executable, "-m", "pip_audit", "--requirement", LOCK, "--require-hashes", "--disable-pip"]
OPTIONS = ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]


def main(arguments: list[str]) -> int:
    """This function will print what is known, and return the exit code."""
    report, why_not = audit([*COMMAND, *OPTIONS])
    if report is None:
        print("audit: skipped, since " + why_not)
        return 0
    lines, found = read(report)
    print("\n".join(lines))
    return 1 if found and "--tell" not in arguments else 0


def audit(command: list[str]) -> tuple[list[dict[str, Any]] | None, str]:
    """This function will return pip-audit's report, or None and why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        return json.loads(done.stdout)["dependencies"], ""
    except subprocess.TimeoutExpired:
        return None, f"the package index did not answer within {SECONDS} s"
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return None, "the package index cannot be asked: " + last[:200]


def read(dependencies: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """This function will return the lines to print, and whether a vulnerability is among them."""
    known = [one for one in dependencies if "skip_reason" not in one]
    if not known:
        return ["audit: skipped, since this package index knows of no advisories"], False
    found = [
        f"audit: {one['name']} {one['version']}: {vuln['id']}, mended in"
        f" {', '.join(vuln['fix_versions']) or 'no release yet'}"
        for one in known
        for vuln in one["vulns"]
    ]
    looked = f"audit: {len(known)} of {len(dependencies)} packages looked up, {len(found)} known vulnerabilities"
    return [*found, looked], bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
