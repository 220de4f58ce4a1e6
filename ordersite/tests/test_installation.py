from importlib.util import find_spec
from pathlib import Path

NEVER_IMPORTED = "celery.contrib.sphinx"  # so that no import has compiled it


def test_packages_are_compiled_when_they_are_installed() -> None:
    module = find_spec(NEVER_IMPORTED)
    assert module
    assert module.cached
    assert Path(module.cached).exists(), "each process compiles what it imports: make clean, then make test"
