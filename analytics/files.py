"""The files of reports, in the storage `reports`: a folder that web and workers have in common."""

import os
from pathlib import Path
from typing import TextIO
from uuid import UUID

from django.core.files import File
from django.core.files.storage import FileSystemStorage, storages


def name_of(report_id: UUID, turn: UUID) -> str:
    """Return the name of what a turn writes. Each has one of its own, so that two cannot mix."""
    return f"{report_id}.{turn}.csv"


def create(name: str) -> TextIO:
    """Open a new file, which only our processes may read. Raises OSError."""
    path = Path(_storage().path(name))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")


def flush_to_disk(file: TextIO) -> int:
    """Have the disk keep all of it, and return its size in bytes. Raises OSError where there is no room."""
    file.flush()
    os.fsync(file.fileno())
    return os.fstat(file.fileno()).st_size


def read(name: str) -> "File[bytes]":
    """Open a file to be sent. Raises FileNotFoundError."""
    return _storage().open(name, "rb")


def remove(name: str) -> None:
    """Delete a file; one that is gone, or is no file at all (""), is fine. Who reads it just now reads on."""
    if name:
        _storage().delete(name)


def names() -> list[str]:
    try:
        return _storage().listdir("")[1]
    except FileNotFoundError:
        return []


def _storage() -> FileSystemStorage:
    storage = storages["reports"]
    assert isinstance(storage, FileSystemStorage)  # noqa: S101 - what is half written needs a place on a disk
    return storage
