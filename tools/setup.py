"""Make .venv and install the locked packages: `python3 tools/setup.py local` (`dev` adds tests and lint).

Only the standard library, and only syntax that Python 3.6 reads: an old Python is to say so, not to crash.
Where all is installed it takes milliseconds; after an interruption it starts over.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)
NEWEST = (3, 14)
UV = "uv==0.13.9"
"""The installer. What it installs is locked with hashes."""

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "installed")

NO_NETWORK = (
    "ConnectionError",
    "NameResolutionError",
    "ConnectTimeout",
    "ProxyError",
    "dns error",
    "error sending request",
    "Failed to fetch",
    "No matching distribution found for uv",
)
"""What pip and uv print when they cannot reach the package index; the last is pip's conclusion."""


def main(kind: str) -> None:
    """This function will have everything of this kind installed, or end and say what is wrong."""
    use_new_enough_python()
    with open(__file__) as this_file:
        fcntl.flock(this_file, fcntl.LOCK_EX)  # two at once would undo each other's work
        have = installed()
        if have not in (stamp("dev"), stamp(kind)):
            install(kind, fresh=have != stamp("local"))


def use_new_enough_python() -> None:
    """This function will go on with a newer Python of the PATH where this one is too old."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])
    sys.exit(
        f"Python 3.11 or newer is needed; {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}. "
        "Install a newer one, and set PYTHON=/path/to/python3.12 if it is not found by itself"
    )


def stamp(kind: str) -> str:
    """This function will return what tells this installation from an older one or one elsewhere."""
    with open(lock_file(kind), "rb") as file:
        lock = hashlib.sha256(file.read()).hexdigest()
    return "\n".join([kind, lock, UV, sys.version, os.path.realpath(sys.base_prefix), VENV])


def lock_file(kind: str) -> str:
    return os.path.join(ROOT, f"requirements-{kind}.lock")


def installed() -> str:
    """This function will return the stamp of the last installation that finished; empty where none did."""
    try:
        with open(STAMP) as file:
            return file.read()
    except OSError:
        return ""


def install(kind: str, *, fresh: bool) -> None:
    """This function will install the lock into a new .venv, or on top of the one there, and stamp it."""
    started = time.monotonic()
    os.umask(0o022)  # started by root, PostgreSQL runs as another user and must read its files here
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ["UV_NO_CACHE"] = "1"
    print(f"Installing into {VENV} ...", flush=True)
    try:
        if fresh:
            make_venv()
        elif os.path.exists(STAMP):
            os.remove(STAMP)
        uv = os.path.join(VENV, "bin", "uv")
        # Compiled once and now: a dozen processes would do it at their first start, each for itself, and at every start
        # where PYTHONDONTWRITEBYTECODE is set.
        compiled = ["--compile-bytecode"]
        run([uv, "pip", "install", *compiled, "--python", PYTHON, "--require-hashes", "-r", lock_file(kind)])
        with open(STAMP, "w") as file:
            file.write(stamp(kind))
    except OSError as error:
        sys.exit(f"{VENV} cannot be written: {error.strerror} ({error.filename})")
    print(f"Installed in {time.monotonic() - started:.1f} s", flush=True)


def make_venv() -> None:
    """This function will make .venv anew, with the installer in it."""
    if not all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(
            f"{sys.executable} has no venv or ensurepip: install them "
            f"(Debian: apt-get install python{version}-venv), or set PYTHON to another Python"
        )
    os.makedirs(VENV, exist_ok=True)
    if not os.access(VENV, os.W_OK):
        sys.exit(f"{VENV} cannot be written: remove it, or give it to the user who runs make")
    run([sys.executable, "-m", "venv", "--clear", VENV])
    run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", UV])


def run(argv: "list[str]") -> None:
    """This function will run a step; where it fails, end with its output, or one line for want of network."""
    result = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if result.returncode == 0:
        return
    output = result.stdout.decode(errors="replace")
    if any(sign in output for sign in NO_NETWORK):
        sys.exit(
            "The package index cannot be reached: the first run needs the network "
            "(behind a mirror, set PIP_INDEX_URL and UV_DEFAULT_INDEX), then run make again"
        )
    sys.exit(f"{output}\nInstalling failed: the lines above say why (the step was: {' '.join(argv)})")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit("Interrupted; the next make starts over")
