"""make wheel: build the bus alone as an installable Django app, into dist/ or the folder that is named.

    python tools/wheel/build.py [FOLDER]

Without the parts that need other rooms or settings of this project: its REST API, the AsyncAPI document, the operations
page with its metrics and `status`, and the admin pages for unfold.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDERS = {"tests", "rest", "asyncapi", "operations", "templates", "static", "__pycache__"}
FILES = {f"admin/{name}.py" for name in ("history", "dead_letters", "decisions", "edit")}
FILES.add("management/commands/status.py")


def left_out(folder: str, names: "list[str]") -> "set[str]":
    """Return which of the names in a folder do not belong into the wheel."""
    inside = Path(folder).relative_to(ROOT / "events")
    return {name for name in names if name in FOLDERS or str(inside / name) in FILES}


def main(target: Path) -> None:
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
