"""`make contracts`: the files are as the code says, and a break of the released contract does not pass."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rest.openapi.document import VERSION
from tools.contracts.__main__ import main

CONTRACT = "contracts/openapi.yaml"


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    """A repository in which nobody has written the files yet."""
    settings.BASE_DIR = tmp_path
    return tmp_path


def checked() -> str:
    """What the check complains of."""
    try:
        main(["--check"])
    except SystemExit as error:
        return str(error)
    return ""


def test_the_repository_s_files_are_as_the_code_says_and_break_nobody() -> None:
    assert checked() == ""


def test_files_that_are_missing_or_changed_are_told_with_the_command_that_mends_them(root: Path) -> None:
    assert f"{CONTRACT} is not what the code says. `make contracts`" in checked()
    main([])
    assert checked() == ""
    (root / "docs/errors.md").write_text("something else")
    assert checked().startswith("docs/errors.md is not what the code says.")
    main([])
    (root / "contracts/events/gone.v1.json").write_text("{}")
    assert checked() == "contracts/events/gone.v1.json is of no event any more: delete it."


def test_a_break_of_the_last_released_contract_is_told(root: Path) -> None:
    main([])
    released = yaml.safe_load((root / CONTRACT).read_text())
    released["paths"]["/api/v1/gone"] = {}
    for version, text in (("0.9.0", yaml.safe_dump({"paths": {"/older": {}}})), ("0.10.0", yaml.safe_dump(released))):
        (root / "contracts/released").mkdir(exist_ok=True)
        (root / f"contracts/released/openapi-{version}.yaml").write_text(text)
    told = checked()
    assert "openapi-0.10.0.yaml" in told
    assert "  /api/v1/gone: the path is gone" in told
    assert "docs/versioning.md" in told
    assert "/older" not in told


def test_a_version_is_released_once(root: Path) -> None:
    main([])
    main(["--release"])
    assert (root / f"contracts/released/openapi-{VERSION}.yaml").read_text() == (root / CONTRACT).read_text()
    assert checked() == ""
    with pytest.raises(SystemExit, match="was released"):
        main(["--release"])
