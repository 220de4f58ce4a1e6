"""Row locks of the product: none is stronger than its statement needs."""

import re
import subprocess

from testing import ROOT

# FOR UPDATE, the stronger lock, makes whoever inserts a row that refers to a locked one wait: for who deletes.
DELETES = {"events/purge.py"}
STRONG = re.compile(r"\bFOR UPDATE\b|select_for_update\((?!.*no_key=True)")


def product() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [
        path for path in listed.stdout.split() if not re.search(r"(^|/)tests/|^testing/|^benchmarks/|^conftest", path)
    ]


def test_only_who_deletes_keeps_others_from_referring_to_a_row() -> None:
    strong = {path for path in product() if STRONG.search((ROOT / path).read_text())}
    assert strong == DELETES
