"""How the tests are spread over processes: what runs a whole system keeps to one, and the others take the rest."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder together (pytest-xdist's --dist loadgroup)."""
    for item in items:
        if item.nodeid.startswith("tests/"):
            item.add_marker(pytest.mark.xdist_group("system"))
