"""What `make run` is told by the environment, and what it keeps in DATA_DIR."""

import contextlib
import errno
import fcntl
import os
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from .errors import LocalError

CHECKOUT = Path(__file__).parents[1]
# Time for the guard of a run that was killed with -9 to end what that run left: 5 s of grace, and more.
PREVIOUS_RUN_SECONDS = 15.0
POLL = 0.1  # seconds between two tries to get the lock


@dataclass(frozen=True)
class Settings:
    web_port: int
    flower_port: int
    data_dir: Path
    demo_password: str
    grpc_port: int = 50051
    mail_port: int = 0
    """Where the local mail server listens; 0 for none, since EMAIL_URL names another."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the variables; LocalError where one makes no sense."""
    return Settings(
        web_port=read_port(environ, "WEB_PORT", 8000),
        flower_port=read_port(environ, "FLOWER_PORT", 5555),
        data_dir=Path(environ.get("DATA_DIR") or ".local").absolute(),
        demo_password=environ.get("DEMO_PASSWORD") or "demo-password",
        grpc_port=read_port(environ, "GRPC_PORT", 50051),
        mail_port=0 if environ.get("EMAIL_URL") else free_port(),
    )


# Ports that processes choose for later: below those that the kernel gives to connections, and to who asks it for any.
PORTS, EACH = range(20_000, 32_000), 100
_chosen = count()


def free_port() -> int:
    """Return a port that nobody listens on, another one each time: a process begins with the hundred of its id's block.

    Processes of which 120 others began in between share a block. Raises LocalError where no port can be had.
    """
    for _ in PORTS:
        port = PORTS[(os.getpid() * EACH + next(_chosen)) % len(PORTS)]
        with contextlib.suppress(OSError):
            listen(port).close()
            return port
    raise LocalError(f"No port from {PORTS.start} to {PORTS.stop - 1} can be had: end what uses them")


def listen(port: int) -> socket.socket:
    """Listen on 127.0.0.1. Raises LocalError where this machine has no such address, OSError for another reason."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise
        raise LocalError(
            "This machine has no address 127.0.0.1, on which everything here listens: "
            "add it (Linux: `ip address add 127.0.0.1/8 dev lo`), or use `docker compose up`"
        ) from None


def read_port(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) not in range(1, 65536):
        raise LocalError(f"{variable}={text} is not a port: give a number from 1 to 65535")
    return int(text)


def check_ports(ports: Mapping[str, int]) -> None:
    """Raise LocalError where something else, or another variable, has a port already."""
    with contextlib.ExitStack() as held:
        for variable, port in ports.items():
            try:
                held.enter_context(listen(port))
            except OSError as error:
                why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
                raise LocalError(
                    f"Port {port} {why}: stop what uses it, or choose another one with {variable}=..."
                ) from None


def lock(data_dir: Path) -> int:
    """Make DATA_DIR and take it for this run; the file descriptor holds it.

    The guard inherits it, so a killed run keeps the folder while its guard ends what is left; we wait.
    Raises LocalError where a living `make run` has it, or it cannot be written.
    """
    try:
        data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LocalError(f"DATA_DIR={data_dir} cannot be written: {error.strerror}. Set another DATA_DIR") from None
    deadline = time.monotonic() + PREVIOUS_RUN_SECONDS
    while not try_lock(descriptor):
        owner = os.pread(descriptor, 20, 0).decode()
        if is_alive(owner) or time.monotonic() > deadline:
            raise LocalError(f"Another `make run` (process {owner}) uses {data_dir}: stop it, or set another DATA_DIR")
        time.sleep(POLL)
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # alive, and another user's
    return True


def read_environment(data_dir: Path) -> dict[str, str]:
    """Read DATA_DIR/environment, as an earlier run left it."""
    with contextlib.suppress(FileNotFoundError):
        lines = (data_dir / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)
    return {}


def make_secrets(environ: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """Take the secrets from the environment or from an earlier run, or make them up."""
    fresh = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FLOWER_BASIC_AUTH": f"flower:{secrets.token_urlsafe(12)}",
        "GRPC_SERVICE_TOKENS": secrets.token_urlsafe(24),
    }
    return {name: environ.get(name) or kept.get(name) or value for name, value in fresh.items()}


def write_environment(data_dir: Path, variables: Mapping[str, str]) -> None:
    """Write DATA_DIR/environment, so that `manage.py` and `celery` by hand find us."""
    new = data_dir / "environment.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in variables.items())
    new.replace(data_dir / "environment")
