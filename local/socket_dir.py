"""Where PostgreSQL's unix socket lives: it needs a short path that nobody else can enter."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from .errors import LocalError
from .system_user import own, user_id

PORT = "5432"
"""Part of the socket's file name; given everywhere, lest somebody's PGPORT decides."""

PATH_LIMIT = 103
"""Bytes of a unix socket's path that every system takes (Linux 107, macOS 103)."""


def socket_dir(data: Path, user: str | None) -> Path:
    """Choose a folder only we can enter: the data's, or one with a shorter path."""
    for folder in (data, *(Path(top, short_name(data)) for top in (tempfile.gettempdir(), "/tmp"))):
        fits = len(os.fsencode(folder / f".s.PGSQL.{PORT}.lock")) <= PATH_LIMIT
        if fits and not set(str(folder)) & set(',"@'):  # PostgreSQL gives these a meaning
            break
    if folder != data:
        make_private(folder, user)
    return folder


def short_name(data: Path) -> str:
    return f"ordersite-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"


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
