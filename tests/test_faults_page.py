"""docs/faults.md names every fault, and tests that are there."""

import re

from testing import ROOT
from tests.chaos.table import faults

FAULTS = [*range(1, 48), 49, 50]
STORM = 37


def test_every_fault_has_its_row_and_its_tests() -> None:
    rows = faults()
    assert [fault.row for fault in rows] == FAULTS
    assert [fault.row for fault in rows if not fault.tests] == [STORM]
    for test in {test for fault in rows for test in fault.tests}:
        file, name = test.split("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), test
