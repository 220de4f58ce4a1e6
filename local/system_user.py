"""PostgreSQL refuses to run as root: for root it runs as a system user of its own."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .errors import LocalError

NAME = "embedded_postgres"


def postgres_user() -> str | None:
    """Return the user to run PostgreSQL as, made where it is missing; None: as we are."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        create_user()
    return NAME


def create_user() -> None:
    """Make a system user that nobody can sign in as."""
    argv = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    if not shutil.which("useradd"):
        raise LocalError("PostgreSQL refuses to run as root, and there is no useradd here: run as an ordinary user")
    result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise LocalError(f"PostgreSQL refuses to run as root, and useradd failed: {result.stdout.strip()}")


def user_id(user: str | None) -> int:
    """Return the numeric id of the user; None is who we are."""
    return pwd.getpwnam(user).pw_uid if user else os.geteuid()


def own(path: Path, user: str | None) -> None:
    """Give the path to the user; None leaves it as it is."""
    if user:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def open_way(*paths: Path) -> list[Path]:
    """Let other users pass (o+x, never o+r) to these paths, and tell what it changed."""
    closed = {folder for path in paths for folder in path.resolve().parents if not folder.stat().st_mode & 0o001}
    for folder in sorted(closed):
        try:
            folder.chmod(folder.stat().st_mode | 0o001)
        except OSError as error:
            raise LocalError(
                f"The user {NAME} must pass through {folder}, and that cannot be allowed: {error}"
            ) from None
    return sorted(closed)
