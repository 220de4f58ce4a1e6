"""make wheel: build the bus alone as an installable Django app, into dist/ or the folder that is named.

    python tools/wheel/build.py [FOLDER]

Without the parts that need other rooms of this project: its REST API, the AsyncAPI document, and the pages for unfold.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LEFT_OUT = (
    *("tests", "rest", "asyncapi", "templates", "static", "__pycache__"),
    *("history.py", "dead_letters.py", "decisions.py", "edit.py", "differences.py"),
)


def left_out(folder: str, names: "list[str]") -> "set[str]":
    """Return which of the names in a folder do not belong into the wheel. Only the admin has files to leave out."""
    files = LEFT_OUT if folder.endswith("admin") else [name for name in LEFT_OUT if not name.endswith(".py")]
    return {name for name in names if name in files}


def main(target: Path) -> None:
    """Copy what belongs into the wheel to a folder, and have it built there."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        shutil.copytree(ROOT / "events", source / "events", ignore=left_out)
        (source / "events" / "py.typed").touch()
        for file in (HERE / "pyproject.toml", HERE / "README.md", ROOT / "LICENSE"):
            shutil.copy(file, source)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", target, source], check=True)
    print(*sorted(target.glob("*.whl")), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve())
